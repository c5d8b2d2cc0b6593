"""The dashboard as its server runs it, asked without a network: each request is one call of the application."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("duckdb")

from tests.support.run_results import make_results

from rankhammer.dashboard.access import new_access
from rankhammer.dashboard.app import make_app
from rankhammer.dashboard.declared import PREFIX, DeclaredPage
from rankhammer.dashboard.headers import Binding
from rankhammer.dashboard.results import Results
from rankhammer.dashboard.site import COOKIE, Site
from rankhammer.dashboard.tables import Tables

if TYPE_CHECKING:
    from pathlib import Path


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


@dataclass
class Client:
    """Somebody with a browser, who keeps one cookie."""

    site: Site
    cookie: str = ""
    host: str = "127.0.0.1:8050"
    peer: str = "127.0.0.1"
    given: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: str = "", **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)

    def sign_in(self, token: str, **headers: str) -> Answer:
        answer = self.post("/login", f"token={token}", **headers)
        self.cookie = answer.headers.get("set-cookie", "").partition(";")[0]
        return answer

    def ask(self, method: str, path: str, body: str = "", **headers: str) -> Answer:
        sent = {"host": self.host, "cookie": self.cookie} | {k.replace("_", "-"): v for k, v in headers.items()}
        raw, _, query = path.partition("?")
        scope = {
            "type": "http",
            "method": method,
            "path": raw,
            "raw_path": raw.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in sent.items()],
            "client": (self.peer, 40000),
            "scheme": "http",
            "server": ("127.0.0.1", 8050),
        }
        # In a thread of its own: a browser's tests leave an event loop that runs in theirs.
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(lambda: asyncio.run(_call(make_app(self.site), scope, body.encode()))).result()


async def _call(app: Any, scope: dict[str, Any], body: bytes) -> Answer:
    messages: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        messages.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
    text = b"".join(message.get("body", b"") for message in messages[1:]).decode()
    return Answer(messages[0]["status"], headers, text)


def make_site(places: dict[str, str], *declared: DeclaredPage, **binding: Any) -> tuple[Site, str]:
    access, token = new_access()
    asked = ["evaluation", "tuning_trials", *(f"{PREFIX}{page.name}" for page in declared)]
    tables = Tables([places[name] for name in asked])
    pages = {page.name: page for page in declared}
    return Site(Results(places), tables, access, Binding(**binding), environment="local", declared=pages), token


@pytest.fixture(autouse=True)
def _cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A check is to cost an attacker 50 ms, and not each test several of them."""
    monkeypatch.setattr("rankhammer.dashboard.access._N", 2**4)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path / "results"


@pytest.fixture
def signed_in(folder: Path) -> Client:
    """Somebody who has given the token, and a folder with one complete run."""
    site, _ = make_site(make_results(folder))
    return Client(site, cookie=f"{COOKIE}={site.access.new_session(10**10)}")
