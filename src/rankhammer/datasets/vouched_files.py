"""What a hand-off's marker says of its files, and whether they are still those.

Names and sizes are compared at each load, from one listing of the folder. A file that has the size and the time of
change that were recorded is taken as it is; only one that was touched since is compared by its
checksum. Where the listing itself says checksums, as that of an object store does, each is compared.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rankhammer.storage.base import Storage, StoredFile

Vouched = dict[str, dict[str, Any]]
"""Relative path to `bytes`, `changed` (by the filesystem's clock), `checksum` (of the storage; not where it has none),
and `content` (SHA-256, of files that were written part by part by this program)."""
FILES = "files"
"""Key of a marker under which this stands."""
COLUMNS = "_columns.json"
"""Names and types of a table's columns, in its folder, as Spark writes them."""
_THREADS = 8
_compared: dict[tuple[str, StoredFile], str] = {}
"""Checksums of touched files that this process has compared already."""


def is_read_by_spark(name: str) -> bool:
    """Say whether a file of a table's folder holds rows or columns: Spark leaves hidden ones out.

    Args:
        name: Relative path.
    """
    return name == COLUMNS or not any(_is_hidden(part) for part in name.split("/"))


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or (part.startswith("_") and "=" not in part)


def parse(value: object) -> Vouched | None:
    """Read what a marker says of files; None where it says nothing that can be used."""
    is_map = isinstance(value, dict) and all(isinstance(facts, dict) for facts in value.values())
    is_whole = is_map and all({"bytes", "changed"} <= facts.keys() for facts in value.values())  # type: ignore[attr-defined]
    return value if is_whole else None  # type: ignore[return-value]


def vouch(
    storage: Storage, folder: str, counts: Callable[[str], bool], contents: Mapping[str, str], kept: Vouched
) -> Vouched:
    """Describe the files of a folder that was just written.

    Args:
        storage: Where it is.
        folder: Its path.
        counts: Which files are described.
        contents: SHA-256 of those whose content is known.
        kept: What an earlier marker said of files that were not written again; that continues counting.
    """
    found = storage.listing(folder)
    new = sorted(name for name in found if counts(name) and name not in kept)
    with ThreadPoolExecutor(_THREADS) as pool:
        checksums = list(pool.map(lambda name: _checksum(storage, f"{folder}/{name}", contents.get(name)), new))
    pairs = zip(new, checksums, strict=True)
    return {name: _described(found[name], checksum, contents.get(name)) for name, checksum in pairs} | kept


def _checksum(storage: Storage, path: str, content: str | None) -> str:
    """Return the storage's checksum; what is known of the content is not read again where that is the same."""
    return f"sha256:{content}" if content and storage.hashes_content else storage.checksum(path)


def _described(file: StoredFile, checksum: str, content: str | None) -> dict[str, Any]:
    facts = {"bytes": file.size, "changed": file.changed, "checksum": checksum, "content": content}
    return {name: value for name, value in facts.items() if value not in ("", None)}


def fault(storage: Storage, folder: str, recorded: Vouched, counts: Callable[[str], bool]) -> str:
    """Say in which file a folder is not as it was written; empty where it is.

    Args:
        storage: Where it is.
        folder: Its path.
        recorded: What its marker says.
        counts: Which files are looked at.
    """
    return next(_faults(storage, folder, recorded, counts, is_thorough=False), "")


def faults(storage: Storage, folder: str, recorded: Vouched, counts: Callable[[str], bool]) -> list[str]:
    """Say the same of every file, each compared by its checksum, also where nobody has touched it."""
    return list(_faults(storage, folder, recorded, counts, is_thorough=True))


def _faults(
    storage: Storage, folder: str, recorded: Vouched, counts: Callable[[str], bool], *, is_thorough: bool
) -> Iterator[str]:
    found = {name: file for name, file in storage.listing(folder).items() if counts(name)}
    expected_files = {name: facts for name, facts in recorded.items() if counts(name)}
    yield from (f"{name} is missing" for name in sorted(expected_files.keys() - found.keys()))
    yield from (f"{name} was added" for name in sorted(found.keys() - expected_files.keys()))
    for name in sorted(expected_files.keys() & found.keys()):
        if found[name].size != expected_files[name]["bytes"]:
            yield f"{name} has {found[name].size} bytes, and was written with {expected_files[name]['bytes']}"
        elif _has_changed(storage, f"{folder}/{name}", found[name], expected_files[name], is_thorough=is_thorough):
            yield f"{name} has another content than was written"


def _has_changed(storage: Storage, path: str, file: StoredFile, facts: Mapping[str, Any], *, is_thorough: bool) -> bool:
    expected = facts.get("checksum")
    if file.tag and expected is not None:
        return bool(file.tag != expected)
    if expected is None or (not is_thorough and file.changed == facts["changed"]):
        return False
    key = (path, file)
    if is_thorough or key not in _compared:
        _compared[key] = storage.checksum(path)
    return bool(_compared[key] != expected)
