"""One HTTP client for every search engine: waits and asks again, and names what went wrong."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field, field_validator
from urllib3.exceptions import LocationParseError
from urllib3.util import parse_url

from rankhammer import credentials
from rankhammer.errors import EngineError
from rankhammer.http_client.exchange import MIB, Connections, ExchangeError, ExchangeLimits
from rankhammer.search_engines.answer import BUSY, Response, must_wait, n_closed_shards, parsed
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.credentials import Login

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
_OK = range(200, 300)
_REDIRECTS = range(300, 400)


class Server(StrictModel):
    """Where a search engine is, and how to connect to it."""

    model_config = ConfigDict(hide_input_in_errors=True)

    url: str = Field(description="address of the engine, e.g. https://search.example.org:9200")
    credentials: str | None = Field(None, description="entry of credentials.yml; null: the engine asks for none")
    ca_certs: str | None = Field(None, description="file of the authority that signed the engine's certificate")
    verify: bool = Field(True, description="false accepts any certificate; for development only")
    timeout_s: float = Field(
        60.0, gt=0, le=3600, description="seconds until an answer is given up, from connecting to its last byte"
    )
    max_answer_mib: int = Field(256, ge=1, le=8192, description="size of one answer above which it is refused")
    patience_s: float = Field(
        300.0, ge=0, le=86_400, description="seconds to ask again while the engine is busy, restarts or is not there"
    )

    @field_validator("url")
    @classmethod
    def _is_an_address(cls, url: str) -> str:
        try:
            address = parse_url(url)
        except LocationParseError:
            # It would quote the address, and with it a password.
            raise ValueError("not an address of the form http://host:port") from None
        if address.auth:
            raise ValueError("an address must not carry a password: name an entry of credentials.yml in `credentials`")
        if address.scheme not in ("http", "https") or not address.host or address.port == 0:
            raise ValueError("not an address of the form http://host:port")
        if address.query is not None or address.fragment is not None:
            raise ValueError("an address must end with its host, port or path: no ? and no #")
        return url.rstrip("/")


class Client:
    """Asks one engine. Made on the driver, it can travel to a worker: connections are opened where it is used.

    Args:
        server: Where the engine is.
        login: What it is told of who asks.
    """

    def __init__(self, server: Server, login: Login) -> None:
        self.server = server
        self._login = login
        limits = ExchangeLimits(server.timeout_s, server.max_answer_mib * MIB)
        self._connections = Connections(server.url, limits, ca_certs=server.ca_certs, verify=server.verify)

    def __repr__(self) -> str:
        """Name the engine, and no secret."""
        return f"Client({self.server.url!r})"

    def without_retries(self) -> Client:
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
    ) -> Response:
        """Ask, and ask again while the engine is busy, restarts or is not there, for `patience_s` at most.

        Only questions that may be asked twice belong here.

        Args:
            method: GET, POST, PUT, DELETE or HEAD.
            path: From the first slash on, as `paths.path` makes it, with its parameters.
            body: Sent as JSON; a text is sent as lines of JSON, bytes are JSON already.
            allowed: Statuses from 400 on that are answers, not errors.
            on_busy: Called whenever the engine says that it is busy (429).

        Raises:
            EngineError: The engine refuses, sends elsewhere, or is not there when patience ends; or what answers there
                is not what the address says, for which nobody waits.
        """
        give_up, pause = time.monotonic() + self.server.patience_s, FIRST_PAUSE_S
        while True:
            answer, trouble = self._try(method, path, body)
            if answer and answer.status == BUSY and on_busy:
                on_busy()
            if answer and not must_wait(answer.status, answer.body):
                return self._checked(answer, allowed)
            if time.monotonic() + pause > give_up:
                raise self._lost(answer, trouble)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def about(self, body: Any) -> Response:
        """Return a part of an answer as an answer of its own, so that it can be quoted like one."""
        return Response(0, body, 0.0, self.server.url, self._login.hide)

    def _try(self, method: str, path: str, body: Any) -> tuple[Response | None, str]:
        headers: dict[str, str] = {"accept": "application/json", **self._login.headers()}
        content = None
        if body is not None:
            headers["content-type"] = "application/x-ndjson" if isinstance(body, str) else "application/json"
            content = (
                body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
            )
        where = f"{method} {self.server.url}{path.partition('?')[0]}"
        began = time.perf_counter()
        try:
            reply = self._connections.exchange(method, path, content, headers)
        except ExchangeError as exc:
            if exc.is_permanent:
                hint = exc.hint if "larger" not in exc.message else _SMALLER
                raise EngineError(f"{where}: {exc.message}.", hint=hint, permanent=True) from None
            return None, exc.message
        if reply.status in _REDIRECTS:
            raise self._redirected(where, reply.status, reply.location)
        return Response(reply.status, parsed(reply.content), time.perf_counter() - began, where, self._login.hide), ""

    def _checked(self, answer: Response, allowed: tuple[int, ...]) -> Response:
        if answer.status in _OK or answer.status in allowed:
            return answer
        raise EngineError(
            f"The engine refuses {answer.where}: {answer.status} {answer.reason}",
            hint=_HINTS.get(answer.status, "Its own words say what to change; its log may say more."),
            status=answer.status,
        )

    def _redirected(self, where: str, status: int, location: str) -> EngineError:
        """Nothing is sent after it: not the question, and not the secret."""
        return EngineError(
            f"{where} is answered {status}, a redirect to {self._login.hide(_place(location))}: that is no answer.",
            hint="Set `url` to the engine's own address; a login page or a proxy stands at this one.",
            status=status,
        )

    def _lost(self, answer: Response | None, trouble: str) -> EngineError:
        said = f"it answers {answer.status} {answer.reason}" if answer else trouble
        if answer and answer.status in _OK:
            said = f"{n_closed_shards(answer.body)} shards of what is searched are not open"
        return EngineError(
            f"{self.server.url} did not answer within {self.server.patience_s:g} s of asking: {said}.",
            hint="See that it runs at this address and can be reached from here, and by a run that collects features "
            "from every worker; `patience_s` is how long it is waited for. Such a run goes on from what it has saved.",
        )


def connect(server: Server) -> Client:
    """Return a client with the secrets that `server.credentials` names.

    Args:
        server: Where the engine is.

    Raises:
        ConfigError: There are no such credentials.
    """
    return Client(server, credentials.login(server.credentials))


_SMALLER = "Ask for less at once (searches_per_request, page_size, fewer documents), or raise max_answer_mib."
_HINTS: Mapping[int, str] = {
    401: "Name an entry of credentials.yml in `credentials`, and check what it holds.",
    403: "The user may not do this: ask for the right to read the index (and to write, where models are deployed).",
    404: "Check the index's name: option `index` of the feature source.",
    413: "The request is larger than http.max_content_length: make batches smaller.",
}


def _place(location: str) -> str:
    """Return a redirect's address without what may be secret: user, password, parameters."""
    try:
        found = parse_url(location)
    except LocationParseError:
        return "no address"
    host = f"{found.scheme}://{found.host}" if found.host else ""
    port = f":{found.port}" if found.port else ""
    return f"{host}{port}{found.path or ''}"[:200] or "no address"
