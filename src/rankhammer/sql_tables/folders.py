"""Folders of Parquet files: which of their files hold rows, and whether somebody has finished writing them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer.digests import hex_digest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rankhammer.storage.base import Storage

DONE = ("_SUCCESS", "_fingerprint.json")
"""Files that are written as the last thing: by Spark, and by stages of this project."""


@dataclass(frozen=True)
class FinishedFolder:
    """A folder that somebody has finished writing.

    Args:
        files: Relative path of each file with rows to its bytes.
        version: Changes when one of them does.
    """

    files: dict[str, int]
    version: str


def is_data(name: str) -> bool:
    """Say whether a file of a table's folder has rows: those that begin with _ or . have none.

    Args:
        name: Relative path.
    """
    is_hidden = any(part.startswith((".", "_")) and "=" not in part for part in name.split("/"))
    return name.endswith(".parquet") and not is_hidden


def finished(storage: Storage, folder: str) -> FinishedFolder | None:
    """Look at a folder.

    Args:
        storage: Where it is.
        folder: Its path.

    Returns:
        None where it is not there, or is being written.
    """
    found = storage.listing(folder) if storage.exists(folder) else {}
    if not any(name in found for name in DONE):
        return None
    about = sorted((name, file.size, file.changed, file.tag) for name, file in found.items())
    return FinishedFolder({name: found[name].size for name in data_files(found)}, hex_digest(repr(about), 16))


def data_files(names: Iterable[str]) -> list[str]:
    """Choose the files with rows, in name order."""
    return sorted(name for name in names if is_data(name))


def partitions(files: Iterable[str]) -> dict[str, list[str]]:
    """Return the columns that stand in folders' names, each with its values.

    Args:
        files: Relative paths, such as corpus=de/part-0.parquet.
    """
    found: dict[str, set[str]] = {}
    for name in files:
        for part in name.split("/")[:-1]:
            column, is_one, value = part.partition("=")
            if is_one:
                found.setdefault(column, set()).add(value)
    return {column: sorted(values) for column, values in found.items()}
