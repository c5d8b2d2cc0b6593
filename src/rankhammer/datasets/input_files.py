"""The files that an input path stands for, as Spark lists them."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.datasets.file_kinds import ReaderOptions
from rankhammer.errors import ConfigError
from rankhammer.storage.base import Storage, storage_for

if TYPE_CHECKING:
    from collections.abc import Mapping

_IN_COPY = "._COPYING_"
"""How HDFS ends the name of a file that is still being copied."""


@dataclass(frozen=True)
class InputFile:
    """One file of an input.

    Args:
        root: The file or folder that the input's path matched.
        name: Relative path below it; empty where the root is the file.
        size: Bytes.
        storage: Where it is.
    """

    root: str
    name: str
    size: int
    storage: Storage

    @property
    def path(self) -> str:
        """The whole path or URI."""
        return f"{self.root}/{self.name}" if self.name else self.root

    @property
    def base_name(self) -> str:
        """The name without its folders."""
        return self.path.rsplit("/", 1)[-1]

    def read(self, start: int, length: int) -> bytes:
        """Return some of its bytes; fewer where it ends before."""
        return self.storage.read_range(self.path, start, length)


def list_input_files(path: str, load_args: Mapping[str, Any] | None = None) -> list[InputFile]:
    """List the files that Spark reads for a path: without those whose names, or folders' names, begin with _ or a dot.

    Args:
        path: File, folder or pattern: a local path or a URI.
        load_args: Reader options: `pathGlobFilter` and `recursiveFileLookup` choose among the files.

    Returns:
        In the order of their names.

    Raises:
        ConfigError: The path leads to nothing, there are no files, or one of them could not be read.
    """
    storage, options = storage_for(path), ReaderOptions(load_args or {})
    roots = [root.rstrip("/") for root in storage.glob(path)]
    if not roots:
        raise _not_found(path)
    sizes = {root: storage.sizes(root) for root in roots}
    every = [InputFile(root, name, size, storage) for root in roots for name, size in sizes[root].items()]
    visible = [file for file in every if is_visible(file.name or file.base_name)]
    found = [file for file in visible if fnmatchcase(file.base_name, options.text("pathGlobFilter", "*"))]
    if "://" not in path:
        _require_readable_names(roots, found)
    if not found:
        raise _no_files(path, len(every))
    if not options.is_on("recursiveFileLookup"):
        _require_no_folders(found)
    return found


def is_visible(name: str) -> bool:
    """Say whether Spark reads a file.

    Args:
        name: Relative path below an input folder.
    """
    parts = name.split("/")
    return not any(_is_hidden(part) for part in parts)


def _is_hidden(part: str) -> bool:
    return part.startswith(".") or (part.startswith("_") and "=" not in part) or part.endswith(_IN_COPY)


def _require_readable_names(roots: list[str], files: list[InputFile]) -> None:
    """Refuse what only local disks have: links to nothing, and names that Hadoop's client takes for URIs."""
    for root in roots:
        for link in (found for found in Path(root).rglob("*") if found.is_symlink() and not found.exists()):
            raise ConfigError(
                f"Input file {link} is a link to {link.readlink()}, which does not exist.",
                hint="Remove the link, or bring back what it leads to.",
                path=str(link),
            )
    for file in files:
        if ":" in file.base_name:
            raise ConfigError(
                f"Input file {file.path} has a colon in its name, which Spark cannot read.",
                hint="Rename the file, for example with a dash instead of each colon.",
                path=file.path,
            )


def _require_no_folders(files: list[InputFile]) -> None:
    """Refuse files in folders of a folder, which Spark leaves out without a word unless they are named like day=1."""
    for file in files:
        folders = file.name.split("/")[:-1]
        if any("=" not in folder for folder in folders):
            raise ConfigError(
                f"Input file {file.path} is in a folder within the input's folder; Spark would leave it out.",
                hint="Set load_args: {recursiveFileLookup: true} for this input in globals.yml; or name what is to be "
                f"read by a pattern, such as {file.root}/*.",
                path=file.path,
            )


def _not_found(path: str) -> ConfigError:
    return ConfigError(
        f"Input {path} does not exist.",
        hint="`rankhammer demo` makes the demo's input; your own goes into conf/local/globals.yml.",
        path=path,
    )


def _no_files(path: str, n_hidden: int) -> ConfigError:
    hidden = f" but {n_hidden} whose names, or folders' names, begin with _ or a dot: Spark leaves these out"
    return ConfigError(
        f"Input {path} has no files{hidden if n_hidden else ''}.",
        hint="Name the file or folder that holds the data: `path` of this input in conf/<env>/globals.yml.",
        path=path,
    )
