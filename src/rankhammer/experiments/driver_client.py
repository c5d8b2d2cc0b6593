"""How an instance asks the driver of its group."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from rankhammer.errors import RankhammerError


class DriverError(RankhammerError):
    """The driver of the group does not answer, or refuses; a file could not be read or written."""


class DriverClient:
    """Asks the driver; safe to use from several threads."""

    def __init__(self, url: str, token: str) -> None:
        """Open nothing yet.

        Args:
            url: Of the driver.
            token: That it expects.
        """
        import urllib3

        self._url, self._headers = url, {"Authorization": f"Bearer {token}"}
        retries = urllib3.Retry(total=3, backoff_factor=0.2, allowed_methods=None, status=0)
        self._pool = urllib3.PoolManager(retries=retries, timeout=urllib3.Timeout(connect=5, read=120))

    def call(self, name: str, **values: Any) -> dict[str, Any]:
        """Make a call.

        Raises:
            DriverError: Nobody answers.
        """
        return dict(json.loads(self._ask("POST", f"/{name}", json.dumps(values).encode())))

    def read(self, name: str) -> bytes | None:
        """Return the content of a file of the experiment; None where there is none."""
        found: bytes | None = self._ask("GET", _place(name))
        return found

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return some bytes of a file."""
        return self._ask("GET", f"{_place(name)}?start={start}&length={length}") or b""

    def write(self, name: str, content: bytes) -> None:
        """Create or replace a file; readers see the old or the new content."""
        self._ask("PUT", _place(name), content)

    def create(self, name: str, content: bytes) -> bool:
        """Create a file where there is none; of several callers one gets True."""
        return self._ask("PUT", f"{_place(name)}?new=1", content) is not None

    def delete(self, name: str) -> None:
        """Remove a file or a folder."""
        self._ask("DELETE", _place(name))

    def sizes(self, name: str) -> dict[str, int]:
        """Return the bytes of each file below a folder, by relative path."""
        return dict(json.loads(self._ask("GET", f"{_place(name)}?list=1") or b"{}"))

    def _ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        import urllib3

        try:
            answer = self._pool.request(method, self._url + path, body=body, headers=self._headers)
        except urllib3.exceptions.HTTPError as exc:
            raise DriverError(
                f"The driver of this group does not answer: {exc}.", hint="Its log says how it ended."
            ) from exc
        if answer.status in (404, 409):
            return None
        if answer.status >= 300:
            said = answer.data.decode(errors="replace") or f"status {answer.status}"
            raise DriverError(f"{method} {path.partition('?')[0]} failed: {said}", hint="Is the storage up?")
        return answer.data


def _place(name: str) -> str:
    return f"/files/{quote(name.strip('/'))}"
