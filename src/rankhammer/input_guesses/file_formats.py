"""What a file is by its content: format, separator and encoding, as `load_args` of an input say them."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.datasets import file_kinds
from rankhammer.datasets.csv_headers import doubles_quotes
from rankhammer.datasets.input_files import list_input_files
from rankhammer.datasets.text_samples import first_bytes, sample
from rankhammer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.datasets.input_files import InputFile

SEPARATORS = (",", ";", "\t", "|")
_YANDEX = re.compile(r"[^\t;]+\t[^\t:;]*:[^\t:;]*(;|$)")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?$")
_MAX_LINES = 50


@dataclass(frozen=True)
class FileFormat:
    """How an input is read.

    Args:
        path: File, folder or pattern, as it was named.
        files: What it stands for.
        name: Spark's name of the format.
        load_args: Reader options.
        doubts: What was taken for granted, a sentence each.
    """

    path: str
    files: Sequence[InputFile]
    name: str
    load_args: Mapping[str, Any]
    doubts: Sequence[str] = ()


def guess_format(path: str) -> FileFormat:
    """Say how an input is read; a few kilobytes of it are looked at.

    Args:
        path: File, folder or pattern: a local path or a URI.

    Raises:
        ConfigError: There is no such file.
        DataError: It is nothing that is read.
    """
    load_args = {"recursiveFileLookup": True} if _has_folders(path) else {}
    files = list_input_files(path, load_args)
    first = next((file for file in files if file.size), None)
    if first is None:
        raise DataError(f"Input {path} is empty.", hint="Name the file that holds the data.", path=path)
    head = first.read(0, 64)
    kind = file_kinds.recognize(head)
    if kind and kind.cure in file_kinds.COLUMNAR:
        return FileFormat(path, files, kind.cure, load_args)
    if kind and kind.cure.startswith("encoding:"):
        encoding = kind.cure.partition(":")[2]
        return _of_text(path, files, first_bytes(first), encoding, {**load_args, "multiLine": True})
    if kind and not file_kinds.is_compressed(first.base_name):
        raise DataError(f"Input file {first.path} is {kind.name}.", hint=kind.hint, path=first.path)
    return _of_text(path, files, first_bytes(first), _encoding(first), load_args)


def _has_folders(path: str) -> bool:
    """Say whether files are in folders of a folder that Spark would leave out."""
    files = list_input_files(path, {"recursiveFileLookup": True})
    return any("=" not in folder for file in files for folder in file.name.split("/")[:-1])


def _encoding(file: InputFile) -> str:
    try:
        for part in sample(file):
            part.decode("utf-8")
    except UnicodeDecodeError:
        return "windows-1252"
    return ""


def _of_text(
    path: str, files: Sequence[InputFile], content: bytes, encoding: str, load_args: Mapping[str, Any]
) -> FileFormat:
    text = content.decode(encoding or "utf-8-sig", errors="replace").removeprefix("\ufeff")
    lines = [line for line in text.splitlines() if line.strip()][:_MAX_LINES]
    doubts = []
    if encoding:
        load_args = {**load_args, "encoding": encoding}
    if encoding == "windows-1252":
        doubts.append("The text is not UTF-8: it is taken for windows-1252.")
    if not lines:
        raise DataError(f"Input {path} has no lines that can be read.", hint="Name the file that holds the data.")
    if lines[0].lstrip()[:1] in ("{", "["):
        if lines[0].strip() in ("{", "["):
            load_args = {**load_args, "multiLine": True}
        return FileFormat(path, files, "json", load_args, doubts)
    if _YANDEX.match(lines[0]):
        return FileFormat(path, files, "text", {**load_args, "lineSep": ";"}, doubts)
    separator, header = _separator(lines), _has_header(lines, _separator(lines))
    if not header:
        doubts.append("The first line looks like data, so columns have no names: they are _c0, _c1, ...")
    options: dict[str, Any] = {"header": header}
    if separator != ",":
        options["sep"] = "\\t" if separator == "\t" else separator
    if _goes_over_lines(text, separator):
        options["multiLine"] = True
    if doubles_quotes(files, {**load_args, **options}):
        # A run sees it, too, in the files that it samples; written down, it holds for every file to come.
        options["escape"] = '"'
    return FileFormat(path, files, "csv", {**load_args, **options}, doubts)


def _separator(lines: Sequence[str]) -> str:
    """Return the sign that cuts most lines into the same number of cells, more than one."""

    def fit(separator: str) -> tuple[int, int]:
        counts = Counter(len(cells) for line in lines for cells in _cells(line, separator))
        n_cells, n_lines = max(counts.items(), key=lambda item: item[1], default=(0, 0))
        return (n_lines, n_cells) if n_cells > 1 else (0, 0)

    return max(SEPARATORS, key=fit)


def _cells(text: str, separator: str) -> list[list[str]]:
    """Return the cells of each line; nothing where Python's reader takes the text for no CSV."""
    try:
        return list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
    except csv.Error:
        return []


def _has_header(lines: Sequence[str], separator: str) -> bool:
    first = next(iter(_cells(lines[0], separator)), [""])
    return len(set(first)) == len(first) and not any(_NUMBER.match(cell.strip()) or not cell.strip() for cell in first)


def _goes_over_lines(text: str, separator: str) -> bool:
    """Say whether quoted cells hold line ends."""
    rows = _cells(text, separator)[:-1]
    return any("\n" in cell or "\r" in cell for cells in rows for cell in cells)
