"""Results of finished parts of long work, which a run that starts again reads instead of working again."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer.digests import hex_digest
from rankhammer.errors import RankhammerError
from rankhammer.storage import state_files
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Iterator

CONTENT, MADE_OF = "content", "made_of"
_KEY_DIGITS = 16
_FORMAT = "checkpoints 1"
"""Is part of the key, so that none is read as another than it is."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CheckpointFolder:
    """A folder with the finished parts of one piece of work; several runs never write to one at a time.

    Args:
        path: A local path or a URI.
        made_of: A text that differs whenever code, parameters or data behind the work do.
    """

    path: str
    made_of: str = ""

    def open(self, work: str) -> Checkpoints:
        """Return the parts of a piece of work, and clear away those of any other, which one line of the log says.

        Args:
            work: All that makes a difference to the results and is not in `made_of`.
        """
        key = hex_digest(f"{_FORMAT}\n{self.made_of}\n{work}", _KEY_DIGITS)
        with _warn_only(self.path):
            storage = storage_for(self.path)
            others = [found for found in storage.glob(f"{self.path}/*") if not found.rstrip("/").endswith(key)]
            if others:
                logger.info("%s holds results of other data, parameters or code; they are removed.", self.path)
            for found in others:
                storage.delete(found)
        return Checkpoints(f"{self.path}/{key}")

    def clear(self) -> None:
        """Remove all parts: what they were kept for is written."""
        with _warn_only(self.path):
            storage_for(self.path).delete(self.path)


@dataclass(frozen=True)
class Checkpoints:
    """The finished parts of one piece of work, by number.

    Args:
        path: Folder: a local path or a URI.
    """

    path: str

    def read(self, number: int, made_of: str) -> str | None:
        """Return what was kept of a part; None where there is nothing, or nothing that can be used.

        Args:
            number: 0 or more.
            made_of: As it was written with.
        """
        path = self._file(number)
        with _warn_only(path):
            keys, instead = (CONTENT, MADE_OF), "that part is done again"
            found = state_files.read(storage_for(path), path, keys=keys, instead=instead)
            if found is not None and found[MADE_OF] != made_of:
                state_files.warn_once(path, "is of other work", instead)
            elif found is not None:
                return str(found[CONTENT])
        return None

    def write(self, number: int, made_of: str, content: str) -> None:
        """Keep a part. Where that cannot be, a warning says so, and the work goes on.

        Args:
            number: 0 or more.
            made_of: A digest of what the part is the result of.
            content: Its result.
        """
        path = self._file(number)
        with _warn_only(path):
            kept = state_files.sealed({CONTENT: content, MADE_OF: made_of})
            storage_for(path).write(path, state_files.encode(kept))

    def _file(self, number: int) -> str:
        return f"{self.path}/part-{number:05d}.json"


@contextmanager
def _warn_only(path: str) -> Iterator[None]:
    """Turn whatever a storage says into a warning: work that keeps nothing is slower, and as good."""
    from py4j.protocol import Py4JError

    try:
        yield
    except (OSError, Py4JError, RankhammerError) as exc:
        logger.warning("%s cannot be used to keep results, so that an interrupted run begins again: %s", path, exc)
