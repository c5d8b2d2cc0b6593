"""A server whose answers are those of an engine, changed; or none of HTTP at all."""

from __future__ import annotations

import json
import socket
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

SLOW_S = 0.05
VALUES: list[Any] = [None, 7, -1, 1e308, "x", "", [], {}, [None], [[]], {"a": {}}, True, "9" * 400, [1, "a", {}]]
TEXTS = [b"", b"null", b"[]", b"{}", b"{", b"<html><body>Log in</body></html>", b"\xff\xfe\x00", b"NaN", b"1e999",
         b'"text"', b"[" * 20_000, b'{"a":' * 3_000 + b"1" + b"}" * 3_000, b"x" * 3_000_000]  # fmt: skip
STATUSES = [200, 201, 204, 301, 302, 307, 400, 401, 403, 404, 409, 413, 429, 500, 503, 999]


def changed_json(content: Any, rng: random.Random) -> Any:
    """Take a key away anywhere in an answer, or give it another value; lists may lose an element or have it twice."""
    holders = [one for one in _inner(content) if one]
    if not holders:
        return rng.choice(VALUES)
    holder = rng.choice(holders)
    key = rng.choice(sorted(holder)) if isinstance(holder, dict) else rng.randrange(len(holder))
    change = rng.random()
    if change < 0.3:
        del holder[key]
    elif change < 0.4 and isinstance(holder, list):
        holder.append(holder[key])
    else:
        holder[key] = rng.choice(VALUES)
    return content


def _inner(content: Any) -> list[Any]:
    below = content.values() if isinstance(content, dict) else content if isinstance(content, list) else ()
    return ([content] if isinstance(content, (dict, list)) else []) + [one for part in below for one in _inner(part)]


class HostileServer:
    """Answers each request by what `sound` says, but for one, which it spoils; use as a context manager.

    Args:
        sound: Method, path and body to status and the JSON of the answer.
        rng: Decides how it is spoilt.
        place: Number of the request that is, from 1; 0: every one.
    """

    def __init__(self, sound: Callable[[str, str, bytes], tuple[int, Any]], rng: random.Random, place: int) -> None:
        self.sound, self.rng, self.place = sound, rng, place
        self.n_asked, self.done = 0, [""]
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._over = threading.Event()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def __enter__(self) -> HostileServer:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        # Only this wakes the thread that waits for the next connection.
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                asking, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer_all, args=(asking,), daemon=True).start()

    def _answer_all(self, asking: socket.socket) -> None:
        with asking, asking.makefile("rb") as lines:
            try:
                while (first := lines.readline()) and not self._over.is_set():
                    if not self._answer(asking, first, lines):
                        return
            except (OSError, ValueError):
                return

    def _answer(self, asking: socket.socket, first: bytes, lines: Any) -> bool:
        """Answer one request; return whether the connection stays open."""
        method, path, _ = first.decode("latin-1").split(" ", 2)
        length = 0
        while (line := lines.readline()).strip():
            name, _, value = line.decode("latin-1").partition(":")
            length = int(value) if name.lower() == "content-length" else length
        body = lines.read(length)
        with self._lock:
            self.n_asked += 1
            status, content = self.sound(method, path, body)
            if self.place not in (0, self.n_asked):
                asking.sendall(_message(status, json.dumps(content).encode()))
                return True
            return self._spoil(asking, status, content)

    def _spoil(self, asking: socket.socket, status: int, content: Any) -> bool:
        kind = self.rng.choice(
            ["json"] * 6 + ["text"] * 3 + ["status", "redirect", "cut", "slow", "garbage", "headers"]
        )
        data = json.dumps(content).encode()
        self.done[0] = kind
        if kind == "json":
            changed = changed_json(content, self.rng)
            self.done[0] = f"json {json.dumps(changed)[:300]}"
            asking.sendall(_message(status, json.dumps(changed).encode()))
        elif kind == "text":
            data = self.rng.choice(TEXTS)
            self.done[0] = f"text {data[:40]!r}"
            asking.sendall(_message(status, data, self.rng.choice(["text/html", "application/json", "image/png"])))
        elif kind == "status":
            status = self.rng.choice(STATUSES)
            self.done[0] = f"status {status}"
            asking.sendall(_message(status, data if status != 204 else b""))
        elif kind == "redirect":
            asking.sendall(
                _message(302, b"", more=f"location: {self.rng.choice([self.url, '//x', '/', 'a:b@c', ''])}\r\n")
            )
        else:
            return self._break(asking, kind, status, data)
        return True

    def _break(self, asking: socket.socket, kind: str, status: int, data: bytes) -> bool:
        whole = _message(status, data + b" " * 50)
        if kind == "cut":
            asking.sendall(whole[: self.rng.randrange(len(whole) - 10)])
        elif kind == "slow":
            for byte in whole * 10:
                if self._over.wait(SLOW_S):
                    break
                asking.sendall(bytes([byte]))
        elif kind == "garbage":
            asking.sendall(
                self.rng.choice([b"\x00" * 100, b"HTTP/9.9 x y\r\n\r\n", b"SSH-2.0-x\r\n", self.rng.randbytes(300)])
            )
        else:
            line = self.rng.choice(
                ["content-length: -5", "content-length: x", "transfer-encoding: chunked", "x: " + "y" * 70_000]
            )
            asking.sendall(f"HTTP/1.1 {status} OK\r\n{line}\r\n\r\n".encode() + data)
        return False


def _message(status: int, data: bytes, kind: str = "application/json", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} OK\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n{more}\r\n"
    return head.encode() + data
