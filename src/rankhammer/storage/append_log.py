"""A row of numbered files in one folder: each is created once and never changed, and the highest counts.

It is how several writers agree on any filesystem, without clocks: who read number 7 may only create number 8, and only
one of them can. Publishing and the lock on a run's outputs both stand on it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.storage import state_files

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.storage.base import Storage

_NAME = re.compile(r"(\d{6,})\.json")
_N_LEFT = 10
"""Files that pruning leaves at least: someone who has just listed the folder still finds the one that he reads next."""


@dataclass(frozen=True)
class Entry:
    """One file.

    Args:
        number: Its number, from 1; 0 stands for "none yet".
        content: What it says, JSON-able; nothing where the file cannot be used.
        fault: Why it cannot be used; empty where it can.
    """

    number: int
    content: Mapping[str, Any]
    fault: str = ""


class AppendOnlyLog:
    """The files of one folder.

    Args:
        storage: Where the folder is.
        folder: Its path; it holds nothing else whose name is a number.
    """

    def __init__(self, storage: Storage, folder: str) -> None:
        self._storage = storage
        self._folder = folder

    def path(self, number: int) -> str:
        """Return where a number's file is, or would be."""
        return f"{self._folder}/{number:06d}.json"

    def numbers(self) -> list[int]:
        """List what is there, in ascending order."""
        if not self._storage.exists(self._folder):
            return []
        names = (_NAME.fullmatch(name) for name in self._storage.files(self._folder))
        return sorted(int(name[1]) for name in names if name)

    def read(self, number: int) -> Entry:
        """Read one file; one that holds no JSON object has a fault and no content."""
        content, fault = state_files.parse(self._storage.read(self.path(number)))
        return Entry(number, content or {}, fault)

    def newest(self) -> Entry:
        """Read the one that counts; number 0 and no content where there is none."""
        numbers = self.numbers()
        return self.read(numbers[-1]) if numbers else Entry(0, {})

    def append(self, content: Mapping[str, Any], *, after: int) -> bool:
        """Add a file after the one that the caller has read.

        Args:
            content: JSON-able; two writers' contents have to differ.
            after: Number of the newest file as the caller knows it.

        Returns:
            Whether it is the newest now; False when another user has added one meanwhile.
        """
        is_new = self._storage.create(self.path(after + 1), state_files.encode(content))
        # The number may be free again because it was pruned long ago: then there are higher ones.
        return is_new and self.numbers()[-1] == after + 1

    def prune(self, keep: int) -> None:
        """Delete the oldest files.

        Args:
            keep: How many of the newest stay at least.
        """
        for number in self.numbers()[: -max(keep, _N_LEFT)]:
            self._storage.delete(self.path(number))
