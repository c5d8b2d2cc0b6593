"""Files of this machine that can be made again: what was kept last, as long as it is of the same."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer.digests import file_digest, hex_digest
from rankhammer.errors import RankhammerError
from rankhammer.storage.base import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path

logger = logging.getLogger(__name__)
_DIGITS = 32


@dataclass(frozen=True)
class KeptFile:
    """One file, whose name says what it was made of and what is in it: one that was changed or cut is never read.

    Args:
        folder: Holds the file, and nothing else.
        made_of: A text that differs whenever the content would.
    """

    folder: Path
    made_of: str

    def find(self) -> Path | None:
        """Return the file; None where there is none of the same, or not as it was written."""
        for path in sorted(self.folder.glob(f"{self._key}-*")):
            try:
                if path.name == f"{self._key}-{file_digest(path, _DIGITS)}":
                    return path
            except OSError as exc:
                logger.warning("%s cannot be read, and is made again: %s", path, exc)
        return None

    def write(self, content: bytes) -> None:
        """Keep the content, and remove what was kept before it. Where that cannot be, a warning says so.

        Args:
            content: Of the file.
        """
        path = self.folder / f"{self._key}-{hex_digest(content, _DIGITS)}"
        try:
            LocalStorage().write(str(path), content)
            for other in self.folder.iterdir():
                if other != path:
                    other.unlink(missing_ok=True)
        except (OSError, RankhammerError) as exc:
            logger.warning("%s cannot be kept, and is made again the next time: %s", path, exc)

    @property
    def _key(self) -> str:
        return hex_digest(self.made_of, _DIGITS)
