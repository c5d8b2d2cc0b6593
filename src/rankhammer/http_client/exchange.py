"""One HTTP exchange after the other with a server: a deadline for the whole of each, and a cap on its answer.

What the clients of search engines and of YARN share. Redirects are not followed and nothing is asked again here: what
an answer means is the client's business.
"""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from http.client import BadStatusLine, HTTPConnection, HTTPException, HTTPResponse, InvalidURL, RemoteDisconnected
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url, wait_for_read

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MIB = 2**20
_FOR_A_MOMENT = ("UNEXPECTED_EOF_WHILE_READING", "ZERO_RETURN")
"""Reasons of TLS for which a server that restarts may be to blame; every other one stays."""


class ExchangeError(Exception):
    """There is no answer.

    Args:
        message: Why, in plain words.
        hint: What to do about it; empty where waiting may be enough.
        is_permanent: True where asking again cannot help.
    """

    def __init__(self, message: str, *, hint: str = "", is_permanent: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.is_permanent = is_permanent


class TooLargeError(HTTPException):
    """The answer is larger than the limit."""


@dataclass(frozen=True)
class ExchangeLimits:
    """What one exchange may take.

    Args:
        timeout_s: Seconds from the first step, looking the name up, to the last byte of the answer.
        max_bytes: Largest answer.
    """

    timeout_s: float
    max_bytes: int = 256 * MIB


def no_answer(error: Exception, limits: ExchangeLimits) -> ExchangeError:
    """Say why there is none, and whether it can come by waiting; no word of the request is quoted."""
    match error:
        case TimeoutError():
            return ExchangeError(f"no whole answer within {limits.timeout_s:g} s")
        case TooLargeError():
            message = f"its answer is larger than {limits.max_bytes / MIB:g} MiB"
            return ExchangeError(message, hint="Ask for less at once, or raise the limit.", is_permanent=True)
        case ssl.SSLError():
            return _no_tls(error)
        case socket.gaierror() if error.errno != socket.EAI_AGAIN:
            hint = "Correct the address: its host is not known here."
            return ExchangeError(f"its host has no address ({error.strerror})", hint=hint, is_permanent=True)
        case RemoteDisconnected():
            return ExchangeError("it hung up without an answer")
        case BadStatusLine():
            hint = "Is this its HTTP port, and is the address to begin with https://?"
            return ExchangeError("what answers does not speak HTTP", hint=hint, is_permanent=True)
        case InvalidURL() | UnicodeError():
            hint = "Correct the host in the address, and the name in the path."
            return ExchangeError("its address or path holds characters that none can", hint=hint, is_permanent=True)
        case OSError():
            return ExchangeError(error.strerror or type(error).__name__)
    return ExchangeError(f"its answer was interrupted or is none of HTTP ({type(error).__name__})")


def _no_tls(error: ssl.SSLError) -> ExchangeError:
    reason = error.reason or type(error).__name__
    detail = f": {error.verify_message}" if isinstance(error, ssl.SSLCertVerificationError) else ""
    is_permanent = not any(reason.startswith(known) for known in _FOR_A_MOMENT)
    hint = "Set ca_certs to the authority that signed its certificate, and see that the address names it as that does."
    if reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE"):
        hint = "Does it speak TLS on this port? If not, let the address begin with http://."
    return ExchangeError(f"TLS failed, {reason}{detail}", hint=hint, is_permanent=is_permanent)


_PIECE = 2**20


@dataclass(frozen=True)
class Reply:
    """An answer as it came.

    Args:
        status: HTTP status.
        content: All of it.
        location: Where a redirect leads to; empty for none.
    """

    status: int
    content: bytes
    location: str = field(default="", repr=False)


class Connections:
    """Connections to one server, which stay open between exchanges; any number of threads may use them.

    By the standard library's own connections: a pool that follows redirects and counts retries takes twice as long.

    Args:
        url: Address of the server; its path stands before every path.
        limits: Of each exchange.
        ca_certs: File of the authority that signed the server's certificate; None: those of the system.
        verify: False accepts any certificate.

    Raises:
        ExchangeError: The address is none of HTTP.
    """

    def __init__(self, url: str, limits: ExchangeLimits, *, ca_certs: str | None = None, verify: bool = True) -> None:
        self._idle: deque[_Connection] = deque()
        self._checks: ssl.SSLContext | None = None
        self._address, self._limits = _parsed(url), limits
        self._root = self._address.path or ""
        self._ca_certs, self._verify = ca_certs, verify

    def __getstate__(self) -> dict[str, Any]:
        """Leave the open connections behind: they are opened again where this travels to."""
        return {**self.__dict__, "_idle": deque(), "_checks": None}

    def __del__(self) -> None:
        """Hang up."""
        while self._idle:
            self._idle.pop().close()

    def exchange(self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]) -> Reply:
        """Ask once.

        Args:
            method: GET, POST, PUT, DELETE or HEAD.
            path: From the first slash on, percent-encoded, with its parameters.
            content: Body of the request; None for none.
            headers: Of the request.

        Raises:
            ExchangeError: No answer came in time, it is too large, or the server is not what the address says.
        """
        connection = self._idle_connection() or self._new_connection()
        connection.deadline = time.monotonic() + self._limits.timeout_s
        try:
            connection.request(method, self._root + path, content, dict(headers))
            with connection.getresponse() as answer:
                data = _read(answer, self._limits.max_bytes)
        except (HTTPException, OSError, UnicodeError) as exc:
            connection.close()
            raise no_answer(exc, self._limits) from None
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return Reply(answer.status, data, answer.headers.get("location", ""))

    def _idle_connection(self) -> _Connection | None:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:
                return None
            # Readable before anything was asked: the server has hung up.
            if connection.sock is None or not wait_for_read(connection.sock, timeout=0):
                return connection
            connection.close()
        return None

    def _new_connection(self) -> _Connection:
        host = str(self._address.host).strip("[]")
        if self._address.scheme == "http":
            return _Connection(host, self._address.port or 80)
        if self._checks is None:
            self._checks = _certificates(self._ca_certs, verify=self._verify)
        return _Connection(host, self._address.port or 443, self._checks)


class _Connection(HTTPConnection):
    """A connection that gives up at a deadline, whatever it is waiting for; set `deadline` before each exchange."""

    def __init__(self, host: str, port: int, checks: ssl.SSLContext | None = None) -> None:
        super().__init__(host, port)
        self.deadline = 0.0
        self._checks = checks
        # The base class calls it as it would its own class.
        self.response_class = partial(_Answer, self)  # type: ignore[assignment]

    def connect(self) -> None:
        """Open it: each address of the name in turn, and TLS on top where the server speaks it."""
        opened = _opened(self.host, self.port, self.left)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._checks is not None:
            opened.settimeout(self.left())
            opened = self._checks.wrap_socket(opened, server_hostname=self.host)
        self.sock = opened

    def send(self, data: Any) -> None:
        """Send some bytes; a server that takes them slowly is not waited for longer."""
        if self.sock is None:
            self.connect()
        view = memoryview(data)
        while view:
            self.sock.settimeout(self.left())
            view = view[self.sock.send(view[:_PIECE]) :]

    def left(self) -> float:
        """Return the seconds until the deadline, more than none.

        Raises:
            TimeoutError: There are none.
        """
        found = self.deadline - time.monotonic()
        if found <= 0:
            raise TimeoutError
        return found


class _Answer(HTTPResponse):
    """An answer that is read until its connection's deadline at most."""

    def __init__(self, connection: _Connection, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp: Any = io.BufferedReader(_Timed(connection, sock, self.fp))


class _Timed(io.RawIOBase):
    def __init__(self, connection: _Connection, sock: socket.socket, inner: io.BufferedReader) -> None:
        super().__init__()
        self._connection, self._sock, self._inner = connection, sock, inner
        self._read = inner.raw.readinto

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._sock.settimeout(self._connection.left())
        found: int | None = self._read(buffer)
        return found

    def close(self) -> None:
        self._inner.close()
        super().close()


def _parsed(url: str) -> Url:
    try:
        found = parse_url(url)
    except LocationParseError:
        found = Url()
    if found.scheme not in ("http", "https") or not found.host:
        # Not quoted: it may hold a password.
        hint = "Give an address of the form http://host:port."
        raise ExchangeError("its address is none of HTTP", hint=hint, is_permanent=True)
    return found


def _read(answer: HTTPResponse, max_bytes: int) -> bytes:
    """Read a whole answer, or refuse it before it fills the memory."""
    if answer.length is not None and answer.length > max_bytes:
        raise TooLargeError
    if answer.length is not None:
        return answer.read()
    pieces, n_bytes = [], 0
    while piece := answer.read(_PIECE):
        pieces.append(piece)
        n_bytes += len(piece)
        if n_bytes > max_bytes:
            raise TooLargeError
    return b"".join(pieces)


def _opened(host: str, port: int, left: Callable[[], float]) -> socket.socket:
    fault: OSError = TimeoutError()
    for family, kind, protocol, _, address in _addresses(host, port, left):
        opened = socket.socket(family, kind, protocol)
        try:
            opened.settimeout(left())
            opened.connect(address)
        except OSError as exc:
            opened.close()
            fault = exc
        else:
            return opened
    raise fault


def _addresses(host: str, port: int, left: Callable[[], float]) -> list[Any]:
    """Look a name up. The system's own call knows no deadline, so it waits in a thread, once a connection."""
    try:
        return socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except OSError:
        found: list[Any] = []
        thread = threading.Thread(target=_look_up, args=(host, port, found), daemon=True)
        thread.start()
        thread.join(left())
        if not found:
            raise TimeoutError from None
        if isinstance(found[0], Exception):
            raise found[0] from None
        return list(found[0])


def _look_up(host: str, port: int, found: list[Any]) -> None:
    try:
        found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
    except (OSError, UnicodeError) as exc:
        found.append(exc)


def _certificates(ca_certs: str | None, *, verify: bool) -> ssl.SSLContext:
    """Say which certificates are good.

    Raises:
        ExchangeError: The authority's file cannot be read.
    """
    try:
        checks = ssl.create_default_context(cafile=ca_certs)
    except OSError as exc:
        raise ExchangeError(
            f"ca_certs: {ca_certs} cannot be read as certificates: {exc.strerror or exc}",
            hint="Name the PEM file of the authority that signed the server's certificate.",
            is_permanent=True,
        ) from None
    if not verify:
        checks.check_hostname = False
        checks.verify_mode = ssl.CERT_NONE
    return checks
