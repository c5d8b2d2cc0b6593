"""What instances ask the driver of their group: when to start, and for files of the experiment's folder.

An instance has no client of HDFS or S3: the driver's JVM has one, with the tokens and keys of the submission.
"""

from __future__ import annotations

import hmac
import json
import logging
import posixpath
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from rankhammer.errors import RankhammerError
from rankhammer.experiments.folder import FILES

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.experiments.folder import ExperimentFolder

MAX_BYTES = 2**31
"""Of one file that an instance writes."""
logger = logging.getLogger(__name__)


class Calls:
    """What the server answers beside files; the group's driver fills it in."""

    def __init__(self, **calls: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
        """Keep the calls by name; each takes and returns what is JSON."""
        self.by_name = calls


class InstanceServer:
    """Serves the instances of one group until it is closed."""

    def __init__(self, host: str, token: str, folder: ExperimentFolder, calls: Calls) -> None:
        """Listen on a free port, and answer nobody without the token.

        Args:
            host: Address that the instances reach.
            token: That they send along.
            folder: Of the experiment; they reach its `files` alone.
            calls: What is answered beside files.
        """
        handler = type("Handler", (_Handler,), {"token": token, "folder": folder, "calls": calls})
        self._server = ThreadingHTTPServer((host, 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://{host}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, name="instances", daemon=True).start()

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    token: str
    folder: ExperimentFolder
    calls: Calls
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a call."""
        self._answer(self._call)

    def do_GET(self) -> None:
        """Answer the content of a file, or a list of files."""
        self._answer(self._get)

    def do_PUT(self) -> None:
        """Write a file."""
        self._answer(self._put)

    def do_DELETE(self) -> None:
        """Remove a file or a folder."""
        self._answer(self._delete)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the base class has it
        """Log nothing: a beat every few seconds is no news."""

    def _answer(self, work: Callable[[], tuple[HTTPStatus, bytes]]) -> None:
        from py4j.protocol import Py4JError

        given = self.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            self._send(HTTPStatus.FORBIDDEN, b"")
            return
        try:
            status, content = work()
        except FileNotFoundError as exc:
            status, content = HTTPStatus.NOT_FOUND, str(exc).encode()
        except (RankhammerError, Py4JError, OSError, ValueError) as exc:
            status, content = HTTPStatus.INTERNAL_SERVER_ERROR, _said(exc).encode()
        self._send(status, content)

    def _send(self, status: HTTPStatus, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _body(self) -> bytes:
        size = int(self.headers.get("Content-Length") or 0)
        if not 0 <= size <= MAX_BYTES:
            raise ValueError(f"a file of {size} bytes is too large: {MAX_BYTES} at most")
        return self.rfile.read(size)

    def _call(self) -> tuple[HTTPStatus, bytes]:
        body = self._body()
        work = self.calls.by_name.get(urlsplit(self.path).path.strip("/"))
        if work is None:
            return HTTPStatus.NOT_FOUND, b""
        return HTTPStatus.OK, json.dumps(work(json.loads(body or b"{}"))).encode()

    def _get(self) -> tuple[HTTPStatus, bytes]:
        place, asked = self._place()
        storage = self.folder.storage
        if "list" in asked:
            found = storage.sizes(place) if storage.exists(place) else {}
            return HTTPStatus.OK, json.dumps(found).encode()
        if not storage.exists(place):
            raise FileNotFoundError(place)
        if "start" in asked:
            return HTTPStatus.OK, storage.read_range(place, int(asked["start"]), int(asked["length"]))
        return HTTPStatus.OK, storage.read(place)

    def _put(self) -> tuple[HTTPStatus, bytes]:
        body = self._body()
        place, asked = self._place()
        if "new" in asked:
            is_new = self.folder.storage.create(place, body)
            return (HTTPStatus.CREATED if is_new else HTTPStatus.CONFLICT), b""
        self.folder.storage.write(place, body)
        return HTTPStatus.CREATED, b""

    def _delete(self) -> tuple[HTTPStatus, bytes]:
        place, _ = self._place()
        self.folder.storage.delete(place)
        return HTTPStatus.OK, b""

    def _place(self) -> tuple[str, dict[str, str]]:
        """Return the path that is asked for, which never leaves the folder of files, and the question's values."""
        parts = urlsplit(self.path)
        name = posixpath.normpath(unquote(parts.path)).removeprefix(f"/{FILES}").strip("/")
        if not parts.path.startswith(f"/{FILES}/") or ".." in unquote(parts.path).split("/"):
            raise ValueError(f"{parts.path} is outside of the experiment's files")
        asked = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return f"{self.folder.path}/{FILES}/{name}".rstrip("/"), asked


def _said(exc: Exception) -> str:
    thrown = getattr(exc, "java_exception", None)
    return str(thrown.toString() if thrown is not None else f"{type(exc).__name__}: {exc}")[:2000]
