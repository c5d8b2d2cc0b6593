"""A server between a client and a real node, that sees every request and may answer in the node's place."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Between:
    """Passes requests on; use as a context manager.

    Args:
        url: Of the node.
        authorization: The header that every request has to bring; empty: none.
    """

    def __init__(self, url: str, authorization: str = "") -> None:
        self.behind, self.authorization = url, authorization
        self.asked: list[tuple[str, str, dict]] = []
        self.on_request = lambda method, path, body: None
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.between = self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Between:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def pages(self) -> list[dict]:
        """Return the bodies of the searches for records."""
        return [body for _, path, body in self.asked if "/_search?allow_partial" in path]

    def answer(self, method: str, path: str, content: bytes, given: str) -> tuple[int, bytes]:
        body = json.loads(content or b"{}")
        with self.lock:
            self.asked.append((method, path, body))
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if given != self.authorization:
                return 401, b"{}"
            status = self.on_request(method, path, body)
            return (status, b"{}") if status else self._passed_on(method, path, content)
        finally:
            with self.lock:
                self.at_once -= 1

    def _passed_on(self, method: str, path: str, content: bytes) -> tuple[int, bytes]:
        request = urllib.request.Request(self.behind + path, data=content or None, method=method)
        request.add_header("content-type", "application/json")
        try:
            with urllib.request.urlopen(request) as found:
                return found.status, found.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


class _Handler(BaseHTTPRequestHandler):
    def _answer(self):
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        given = self.headers.get("authorization", "")
        status, found = self.server.between.answer(self.command, self.path, content, given)
        self.send_response(status)
        self.send_header("content-length", str(len(found)))
        self.end_headers()
        self.wfile.write(found)

    do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - the server's own names

    def log_message(self, *_):
        """Keep quiet."""
