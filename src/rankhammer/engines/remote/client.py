"""One HTTP client for every search engine: keeps connections, waits and asks again, and names what went wrong."""

from __future__ import annotations

import json
import ssl
import time
from collections import deque
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel, ConfigDict, Field, field_validator
from urllib3.util import parse_url, wait_for_read

from rankhammer import credentials
from rankhammer.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.credentials import Login

BUSY = 429
GONE = (502, 503, 504)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
_MAX_QUOTED = 500


class Server(BaseModel):
    """Where a search engine is, and how it is spoken to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(description="address of the engine, e.g. https://search.example.org:9200")
    credentials: str | None = Field(None, description="entry of credentials.yml; null: the engine asks for none")
    ca_certs: str | None = Field(None, description="file of the authority that signed the engine's certificate")
    verify: bool = Field(True, description="false accepts any certificate; for development only")
    timeout_s: float = Field(60.0, gt=0, le=3600, description="seconds until an answer is given up")
    patience_s: float = Field(
        300.0, ge=0, le=86_400, description="seconds to ask again while the engine is busy, restarts or is not there"
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        parsed = parse_url(url)
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise ValueError("not an address of the form http://host:port")
        if parsed.auth:
            raise ValueError("an address must not carry a password: name an entry of credentials.yml in `credentials`")
        return url.rstrip("/")


@dataclass(frozen=True)
class Answer:
    """What an engine said.

    Args:
        status: HTTP status.
        body: The parsed JSON; the text where it is none.
        duration_s: Seconds from the question to the whole answer.
    """

    status: int
    body: Any
    duration_s: float

    @property
    def reason(self) -> str:
        """The engine's own words for a refusal, shortened."""
        body = self.body
        if isinstance(body, dict) and isinstance(body.get("error"), dict):
            body = _innermost(body["error"])
        text = body if isinstance(body, str) else json.dumps(body)
        return " ".join(text.split())[:_MAX_QUOTED]


class Client:
    """Asks one engine. Made on the driver, it can travel to a worker: connections are opened where it is used.

    Args:
        server: Where the engine is.
        login: What it is told of who asks.
    """

    def __init__(self, server: Server, login: Login) -> None:
        self._idle: deque[HTTPConnection] = deque()
        self.server = server
        self._login = login
        self._root = parse_url(server.url).path or ""

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open connections behind."""
        return {**self.__dict__, "_idle": deque()}

    def __del__(self) -> None:
        """Hang up."""
        while self._idle:
            self._idle.pop().close()

    def __repr__(self) -> str:
        """Name the engine, and no secret."""
        return f"Client({self.server.url!r})"

    def impatient(self) -> Client:
        """Return a client of the same engine that asks once and does not wait."""
        server = self.server.model_copy(update={"patience_s": 0.0})
        return Client(server, self._login)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        allowed: tuple[int, ...] = (),
        on_busy: Callable[[], None] | None = None,
    ) -> Answer:
        """Ask, and ask again while the engine is busy, restarts or is not there, for `patience_s` at most.

        Only questions that may be asked twice belong here.

        Args:
            method: GET, POST, PUT, DELETE or HEAD.
            path: From the first slash on, with its parameters.
            body: Sent as JSON; a text is sent as lines of JSON, bytes are JSON already.
            allowed: Statuses from 400 on that are answers, not errors.
            on_busy: Called whenever the engine says that it is busy (429).

        Raises:
            EngineError: The engine refuses, or is not there when patience ends.
        """
        give_up, pause = time.monotonic() + self.server.patience_s, FIRST_PAUSE_S
        while True:
            answer, trouble = self._try(method, path, body)
            if answer and answer.status == BUSY and on_busy:
                on_busy()
            if answer and answer.status not in (BUSY, *GONE):
                return self._checked(method, path, answer, allowed)
            if time.monotonic() + pause > give_up:
                raise self._lost(answer, trouble)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _try(self, method: str, path: str, body: Any) -> tuple[Answer | None, str]:
        headers: dict[str, str] = {"accept": "application/json", **self._login.headers()}
        content = None
        if body is not None:
            headers["content-type"] = "application/x-ndjson" if isinstance(body, str) else "application/json"
            content = body if isinstance(body, str | bytes) else json.dumps(body)
        began = time.perf_counter()
        try:
            status, data = self._exchange(method, self._root + path, content, headers)
        except (HTTPException, OSError) as exc:
            return None, _plain(exc)
        return Answer(status, _parsed(data), time.perf_counter() - began), ""

    def _exchange(
        self, method: str, path: str, content: str | bytes | None, headers: Mapping[str, str]
    ) -> tuple[int, bytes]:
        """Ask once, over a connection that stays open for the next question.

        By the standard library's own connections: a pool that follows redirects and counts retries takes twice as long.
        """
        connection = self._idle_connection() or self._connect()
        try:
            connection.request(method, path, content.encode() if isinstance(content, str) else content, dict(headers))
            answer = connection.getresponse()
            data = answer.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer.status, data

    def _idle_connection(self) -> HTTPConnection | None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            # Readable before anything was asked: the engine has hung up.
            if connection.sock is None or not wait_for_read(connection.sock, timeout=0):
                return connection
            connection.close()
        return None

    def _connect(self) -> HTTPConnection:
        server, address = self.server, parse_url(self.server.url)
        host = str(address.host).strip("[]")
        if address.scheme == "http":
            return HTTPConnection(host, address.port, timeout=server.timeout_s)
        return HTTPSConnection(host, address.port, timeout=server.timeout_s, context=_checks(server))

    def _checked(self, method: str, path: str, answer: Answer, allowed: tuple[int, ...]) -> Answer:
        if answer.status < 400 or answer.status in allowed:
            return answer
        where = f"{method} {self.server.url}{path.partition('?')[0]}"
        raise EngineError(
            f"The engine refuses {where}: {answer.status} {answer.reason}",
            hint=_HINTS.get(answer.status, "Its own words say what to change; its log may say more."),
            status=answer.status,
        )

    def _lost(self, answer: Answer | None, trouble: str) -> EngineError:
        said = f"it answers {answer.status} {answer.reason}" if answer else trouble
        return EngineError(
            f"{self.server.url} did not answer within {self.server.patience_s:g} s of asking: {said}.",
            hint="See that it runs and can be reached from every worker; `patience_s` is how long it is waited for. "
            "Collecting goes on from what it has kept in `progress`.",
        )


def connect(server: Server) -> Client:
    """Return a client with the secrets that `server.credentials` names.

    Args:
        server: Where the engine is.

    Raises:
        ConfigError: There are no such credentials.
    """
    return Client(server, credentials.login(server.credentials))


_HINTS: Mapping[int, str] = {
    401: "Name an entry of credentials.yml in `credentials`, and check what it holds.",
    403: "The user may not do this: ask for the right to read the index (and to write, where models are deployed).",
    404: "Check the index's name: option `index` of the feature source.",
    413: "The request is larger than http.max_content_length: make batches smaller.",
}


def _checks(server: Server) -> ssl.SSLContext:
    """Say which certificates are good."""
    checks = ssl.create_default_context(cafile=server.ca_certs)
    if not server.verify:
        checks.check_hostname = False
        checks.verify_mode = ssl.CERT_NONE
    return checks


def _parsed(data: bytes) -> Any:
    try:
        return orjson.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def _innermost(error: dict[str, Any]) -> str:
    """Return the deepest reason of a refusal: the outer ones only say where it was noticed. Solr has one, `msg`."""
    if "msg" in error:
        return str(error["msg"])
    shard = (error.get("failed_shards") or [{}])[0].get("reason")
    root = (error.get("root_cause") or [None])[0]
    starts = [found for found in (shard, error, root) if isinstance(found, dict)]
    chains = [_causes(start) for start in starts]
    deep = next((chain for chain in chains if len(chain) > 1), None)
    found = (deep or (_causes(root) if isinstance(root, dict) and root.get("reason") else chains[0]))[-1]
    return f"{found.get('type', 'error')}: {found.get('reason', '')}"


def _causes(error: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an error and what caused it, the deepest last."""
    found = [error]
    while isinstance(found[-1].get("caused_by"), dict):
        found.append(found[-1]["caused_by"])
    return found


def _plain(error: Exception) -> str:
    """Say what failed without the objects' own names and addresses in memory."""
    reason = getattr(error, "reason", None) or error
    text = str(reason)
    return text.rsplit(": ", 1)[-1] if ">" in text else text or type(reason).__name__
