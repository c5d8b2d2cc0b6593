"""Who may see the pages: one token, kept as a scrypt hash, sessions as signed cookies, and a limit on attempts."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import secrets
import stat
import threading
import time
from base64 import b64decode, b64encode
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

FORMAT = 1
SESSION_S = 12 * 3600
"""Seconds for which a browser stays signed in."""
_N, _R, _P = 2**14, 8, 1
"""Cost of scrypt (Percival, "Stronger key derivation via sequential memory-hard functions", 2009): 16 MiB a check."""
_OF_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_MOST_ADDRESSES = 10_000


@dataclass(frozen=True)
class Access:
    """What is stored of the token, and the key that signs sessions.

    Args:
        salt: Random, 16 bytes.
        hashed: scrypt of the token, 64 bytes.
        key: Random, 32 bytes; a new one ends all sessions.
    """

    salt: bytes
    hashed: bytes
    key: bytes

    def is_token(self, text: str) -> bool:
        """Say whether a text is the token; takes the same time either way."""
        with _one_at_a_time:
            return hmac.compare_digest(_hashed(text, self.salt), self.hashed)

    def new_session(self, now: float) -> str:
        """Return the value of a cookie for somebody who has given the token.

        Args:
            now: Seconds since 1970.
        """
        body = f"{int(now) + SESSION_S}.{secrets.token_hex(8)}"
        return f"{body}.{self._signature(body)}"

    def is_session(self, cookie: str, now: float) -> bool:
        """Say whether a cookie was made by `new_session` with this key, and is still good."""
        body, _, signature = cookie.rpartition(".")
        until = body.partition(".")[0]
        is_signed = hmac.compare_digest(signature.encode(), self._signature(body).encode())
        return is_signed and until.isascii() and until.isdecimal() and now < int(until)

    def _signature(self, body: str) -> str:
        return hmac.new(self.key, body.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


_one_at_a_time = threading.Lock()
"""Attempts wait for each other: twenty at once would take 320 MiB."""


def _hashed(token: str, salt: bytes) -> bytes:
    return hashlib.scrypt(token.encode("utf-8", "replace"), salt=salt, n=_N, r=_R, p=_P)


def new_access() -> tuple[Access, str]:
    """Make a token of 192 random bits.

    Returns:
        What is to be stored, and the token, which is shown once.
    """
    token, salt = secrets.token_urlsafe(24), secrets.token_bytes(16)
    return Access(salt, _hashed(token, salt), secrets.token_bytes(32)), token


def open_access(path: Path, *, renew: bool = False) -> tuple[Access, str]:
    """Read the stored hash, or make a token at the first start.

    Args:
        path: Of the file; it is made with mode 0600.
        renew: Whether a new token replaces the old one, which ends all sessions.

    Returns:
        What is stored, and the token where it is new, else an empty text.

    Raises:
        ConfigError: The file can be read by others, or is none of ours.
    """
    if path.exists() and not renew:
        return _read(path), ""
    access, token = new_access()
    _write(path, access)
    return access, token


def public_part(access: Access) -> dict[str, Any]:
    """Return what others may see of a stored token: neither the token nor the key that signs sessions."""
    facts = {"salt": access.salt, "hashed": access.hashed}
    return {"format": FORMAT, **{name: b64encode(value).decode() for name, value in facts.items()}}


def _write(path: Path, access: Access) -> None:
    content = {**public_part(access), "key": b64encode(access.key).decode()}
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    with (
        suppress(FileNotFoundError),
        os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file,
    ):
        json.dump(content, file)
    unfinished.replace(path)


def _read(path: Path) -> Access:
    if path.stat().st_mode & _OF_OTHERS:
        raise ConfigError(f"{path} holds a secret and can be read by others.", hint=f"chmod 600 {path}", path=str(path))
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        return Access(*(b64decode(found[name], validate=True) for name in ("salt", "hashed", "key")))
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigError(
            f"{path} is no file of the dashboard's.",
            hint="--new-token replaces it and shows a new token.",
            path=str(path),
        ) from exc


@dataclass
class AttemptLimit:
    """How often somebody may give a wrong token.

    Args:
        each: Failures of one address within `window_s`.
        all_together: Failures of all addresses within it.
        window_s: Seconds.
        clock: Seconds that only grow.
    """

    each: int = 5
    all_together: int = 50
    window_s: float = 60.0
    clock: Callable[[], float] = time.monotonic
    _failures: dict[str, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wait_s(self, address: str) -> float:
        """Return for how many seconds an address may not try; 0 where it may."""
        with self._lock:
            self._forget()
            own = self._failures.get(address, deque())
            every = sorted(at for times in self._failures.values() for at in times)
            waits = [
                times[-most] for times, most in ((own, self.each), (every, self.all_together)) if len(times) >= most
            ]
            return max((at + self.window_s - self.clock() for at in waits), default=0.0)

    def failed(self, address: str) -> None:
        """Count a wrong token."""
        with self._lock:
            self._failures.setdefault(address, deque(maxlen=self.each)).append(self.clock())

    def _forget(self) -> None:
        since = self.clock() - self.window_s
        for address, times in list(self._failures.items()):
            while times and times[0] <= since:
                times.popleft()
            if not times:
                del self._failures[address]
        if len(self._failures) > _MOST_ADDRESSES:
            self._failures.clear()
