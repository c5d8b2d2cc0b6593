"""The headers of CSV files: which files have the same columns in the same order, and do their lines fit?

Spark takes the columns' names from one file and applies them, by their places, to all.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.datasets import file_checks, file_kinds
from rankhammer.datasets.file_kinds import ReaderOptions
from rankhammer.datasets.text_samples import MAX_UNFIT_SHARE, PART, first_bytes, sample
from rankhammer.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rankhammer.datasets.input_files import InputFile

MAX_HEADERS = 20
"""Different headers in one input: each is a scan of its own in Spark's plan."""
_COLUMNS_SHOWN = 12


@dataclass(frozen=True)
class HeaderGroup:
    """Files of one input folder with the same header.

    Args:
        root: The input folder, or the file itself.
        columns: The header's names, in order.
        files: At least one.
    """

    root: str
    columns: tuple[str, ...]
    files: tuple[InputFile, ...]


def group_by_header(files: Sequence[InputFile], load_args: Mapping[str, Any]) -> list[HeaderGroup]:
    """Put the files of a CSV input together that have the same header; their first lines are looked at, too.

    Args:
        files: Those of an input whose `load_args` say header: true.
        load_args: Reader options.

    Returns:
        In the order of their first files. Files of which the first bytes cannot be read here (zstd, snappy, LZ4), and
        those after the first `file_checks.MAX_FILES`, are in no group.

    Raises:
        SchemaError: A header names a column twice, there are too many different headers, or lines do not fit one.
    """
    options = ReaderOptions(load_args)
    looked_at = [file for file in files[: file_checks.MAX_FILES] if file.size and _can_be_read(file)]
    headers = file_checks.for_each_file(lambda file: _header(file, options), looked_at)
    groups: dict[tuple[str, tuple[str, ...]], list[InputFile]] = {}
    for file, header in zip(looked_at, headers, strict=True):
        if header:
            groups.setdefault((file.root, header), []).append(file)
    _require_few(groups)
    _require_common(groups)
    return [HeaderGroup(root, header, tuple(found)) for (root, header), found in groups.items()]


def doubles_quotes(files: Sequence[InputFile], load_args: Mapping[str, Any]) -> bool:
    """Say whether quotes in quoted cells are doubled, as RFC 4180 has them, where `load_args` leave that open.

    Args:
        files: Of a CSV input; the parts of text that are looked at for the encoding are looked at.
        load_args: Reader options; where they name `quote` or `escape`, these count.

    Returns:
        True where some are doubled and none has a backslash before it, as Spark writes them.
    """
    options = ReaderOptions(load_args)
    if options.has("quote") or options.has("escape"):
        return False
    separator = re.escape(options.text("sep", ",").replace("\\t", "\t"))
    encoding = options.codec
    doubled = re.compile(rf'(?:(?!{separator})[^"\r\n\\])""|""(?!{separator})[^"\r\n]|(?<!\\)"""')
    escaped = re.compile(rf'\\"(?!{separator})[^"\r\n]')

    def signs(file: InputFile) -> tuple[bool, bool]:
        text = "\n".join(part.decode(encoding, errors="replace") for part in sample(file) if b'"' in part)
        return bool(doubled.search(text)), bool(escaped.search(text))

    looked_at = [file for file in files[: file_checks.MAX_FILES] if file.size and _can_be_read(file)]
    found = file_checks.for_each_file(signs, looked_at)
    return any(is_doubled for is_doubled, _ in found) and not any(is_escaped for _, is_escaped in found)


def require_single_names(columns: Sequence[str], where: str) -> None:
    """Refuse columns that are there twice, also where they differ in upper and lower case only, as Spark does.

    Args:
        columns: Names.
        where: The file or input, for the message.

    Raises:
        SchemaError: Names them.
    """
    counts = Counter(name.casefold() for name in columns)
    twice = [name for name in columns if counts[name.casefold()] > 1]
    if twice:
        raise SchemaError(
            f"{where} has a column more than once: {', '.join(map(repr, twice))} (upper and lower case are one name).",
            hint="Rename one of them, or leave it out, where the file is made.",
            columns=twice,
        )


def _require_few(groups: Mapping[tuple[str, tuple[str, ...]], Sequence[InputFile]]) -> None:
    headers = {header: found[0].path for (_, header), found in groups.items()}
    if len(headers) > MAX_HEADERS:
        (one, first), (other, second) = list(headers.items())[:2]
        raise SchemaError(
            f"The CSV files of one input have {len(headers)} different headers, such as {_shown(one)} in {first} and "
            f"{_shown(other)} in {second}.",
            hint="Where the files have no header, set load_args: {header: false}; else bring the columns into one "
            "order where the files are made.",
        )


def _require_common(groups: Mapping[tuple[str, tuple[str, ...]], Sequence[InputFile]]) -> None:
    """Refuse a file without one column of the first: its first line is no header, or it is of another table."""
    found = [(header, files[0]) for (_, header), files in groups.items()]
    for header, file in found[1:]:
        known = {name.casefold() for name in found[0][0]}
        if known.isdisjoint(name.casefold() for name in header):
            raise SchemaError(
                f"Input file {file.path} begins with {_shown(header)}, which has no column of {_shown(found[0][0])} in "
                f"{found[0][1].path}.",
                hint="Give each file of the folder its header, or take out the file of another table.",
                path=file.path,
            )


def _shown(columns: Sequence[str]) -> str:
    more = ", ..." if len(columns) > _COLUMNS_SHOWN else ""
    return f"({', '.join(columns[:_COLUMNS_SHOWN])}{more})"


def _can_be_read(file: InputFile) -> bool:
    return file_kinds.ending(file.base_name) not in (".zst", *file_kinds.BLOCK_CODECS)


def _header(file: InputFile, options: ReaderOptions) -> tuple[str, ...]:
    """Return a file's columns, empty where it has no line; a name that is missing is _c and its place, as in Spark."""
    lines = _first_lines(file, options)
    parse = _parser(options)
    cells = next((parse(line) for line in lines if _is_data(line, options)), [])
    columns = [cell or f"_c{number}" for number, cell in enumerate(cells)]
    require_single_names(columns, f"Input file {file.path}")
    if not options.is_on("multiLine") and not options.has("mode"):
        data = [line for line in lines if _is_data(line, options)]
        _require_fitting(file, columns, [[] if _is_open(line, options) else parse(line) for line in data])
    return tuple(columns)


def _require_fitting(file: InputFile, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    bad = [number for number, row in enumerate(rows, 1) if len(row) != len(columns)]
    if len(bad) > MAX_UNFIT_SHARE * len(rows):
        raise SchemaError(
            f"Input file {file.path}: {len(bad)} of its first {len(rows)} lines do not have the {len(columns)} cells "
            f"of the header; the first of them is line {bad[0]}.",
            hint="Where quoted texts hold line ends, set load_args: {multiLine: true} for this input in globals.yml; "
            "else `sep`, `quote` and `escape` have to be those of the file.",
            path=file.path,
            n_bad=len(bad),
        )


def _first_lines(file: InputFile, options: ReaderOptions) -> list[str]:
    """Return whole lines from the beginning of a file, decompressed where its ending says so."""
    is_whole = file.size <= PART and not file_kinds.is_compressed(file.base_name)
    text = first_bytes(file).decode(options.codec, errors="replace")
    separator = options.text("lineSep", "")
    lines = text.split(separator) if separator else io.StringIO(text, newline=None).read().split("\n")
    ended = lines[:-1] if len(lines) > 1 and (not is_whole or not lines[-1]) else lines
    return [line for line in ended if line.strip()]


def _is_data(line: str, options: ReaderOptions) -> bool:
    comment = options.text("comment", "")
    return not (comment and line.startswith(comment))


def _parser(options: ReaderOptions) -> Callable[[str], list[str]]:
    """Return what cuts one line into cells, by the reader's options."""
    separator = options.text("sep", ",").replace("\\t", "\t")
    quote, escape = options.text("quote", '"'), options.text("escape", "\\")
    strips = options.is_on("ignoreLeadingWhiteSpace") or options.is_on("ignoreTrailingWhiteSpace")

    def parse(line: str) -> list[str]:
        cells = list(_cells(line, separator, quote, escape))
        return [cell.strip() for cell in cells] if strips else cells

    return parse


def _is_open(line: str, options: ReaderOptions) -> bool:
    """Say whether a line ends within a quoted cell."""
    separator, quote = options.text("sep", ",").replace("\\t", "\t"), options.text("quote", '"')
    escape = _other_escape(options.text("escape", "\\"), quote)
    if quote not in line or len(separator) != 1 or len(quote) != 1:
        return False
    try:
        next(csv.reader([line], delimiter=separator, quotechar=quote, escapechar=escape, strict=True), [])
    except csv.Error as error:
        return "unexpected end" in str(error)
    return False


def _other_escape(escape: str, quote: str) -> str | None:
    """Return what stands before a quote in a cell; None where it is another quote, which Python reads anyway."""
    return escape if len(escape) == 1 and escape != quote else None


def _cells(line: str, separator: str, quote: str, escape: str) -> Iterator[str]:
    if len(separator) != 1 or len(quote) > 1:
        yield from line.split(separator)
        return
    style = {"quotechar": quote} if quote else {"quoting": csv.QUOTE_NONE}
    try:
        yield from next(csv.reader([line], delimiter=separator, escapechar=_other_escape(escape, quote), **style), [])
    except csv.Error:
        # A cell longer than Python's parser takes: Spark counts them.
        yield from line.split(separator)
