"""Quotes of a CSV over several lines that are not closed: each takes lines along that are records of their own.

Spark gives the lines up to the next quote, or the file's end, as one cell; where that is a record's last one, the
record has as many cells as the header, and nothing is amiss.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.datasets import file_checks, file_kinds
from rankhammer.datasets.file_kinds import ReaderOptions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pyspark.sql import Column

    from rankhammer.datasets.input_files import InputFile

WINDOW = 1 << 18
"""Bytes at a file's end that are looked at: a quote that opened before them is not noticed."""
_LONGEST_RUN = 64
"""Signs beside a quote that are looked at: more quotes in a row, or blanks before a separator, are no CSV."""
_WIDE = ("utf-16", "utf-32", "utf16", "utf32")


@dataclass(frozen=True)
class OpenEnd:
    """The cell that a file ends in.

    Args:
        ending: Its last signs, without blanks and line ends behind them.
        n_line_ends: Line ends within it, without those behind `ending`.
    """

    ending: str
    n_line_ends: int


def open_ends(files: Sequence[InputFile], load_args: Mapping[str, Any]) -> list[OpenEnd]:
    """Find the files whose last quoted cell does not end.

    Args:
        files: Of a CSV input that is read over several lines; the end of a compressed one cannot be looked at.
        load_args: Reader options.
    """
    options = ReaderOptions(load_args)
    plain = [file for file in files[: file_checks.MAX_FILES] if not file_kinds.is_compressed(file.base_name)]
    return [end for end in file_checks.for_each_file(lambda file: _open_end(file, options), plain) if end]


def holds_lines(cell: Column, options: ReaderOptions, ends: Iterable[OpenEnd]) -> Column:
    """Tell whether a cell holds lines of other records.

    Its quote was closed by the quote that begins another cell, or not at all.

    Args:
        cell: Text, as Spark gives it: where a quote is closed before a cell's end, with the quotes in it.
        options: The reader's.
        ends: What `open_ends` found.

    Returns:
        Boolean, or null for null.
    """
    from pyspark.sql import functions as F

    separator, quote = _signs(options)
    if len(quote) != 1:
        return F.lit(False)
    lines = rf"^{_java(quote)}[\s\S]*[\r\n]([^\r\n]*{_java(separator)})?{_java(quote)}"
    found = cell.startswith(quote) & cell.rlike(lines)
    trimmed = F.regexp_replace(cell, r"\s+$", "")
    n_line_ends = F.size(F.split(trimmed, r"\r\n|[\r\n]")) - 1
    for end in ends:
        found |= trimmed.endswith(end.ending) & (n_line_ends == end.n_line_ends)
    return found


def _signs(options: ReaderOptions) -> tuple[str, str]:
    return options.text("sep", ",").replace("\\t", "\t"), options.text("quote", '"')


def _open_end(file: InputFile, options: ReaderOptions) -> OpenEnd | None:
    separator, quote = _signs(options)
    is_wide = options.text("encoding", "utf-8").lower().startswith(_WIDE)
    if len(quote) != 1 or (is_wide and file.size > WINDOW):
        return None
    start = max(0, file.size - WINDOW)
    text = file.read(start, WINDOW).decode(options.codec, errors="replace")
    opened = _opened_at(text, separator, quote, begins_file=start == 0)
    lines = [] if opened is None else text[opened:].rstrip().splitlines()
    if len(lines) < 2:
        return None
    # What stands before a quote may be read without its backslash.
    ending = lines[-1][-_LONGEST_RUN:].rpartition(quote)[2].rpartition("\\")[2]
    return OpenEnd(ending, len(lines) - 1)


def _opened_at(text: str, separator: str, quote: str, *, begins_file: bool) -> int | None:
    """Find the sign behind the last quote that begins a cell, if no quote behind it ends one.

    Args:
        text: The end of a file.
        separator: Between cells.
        quote: One sign.
        begins_file: Whether it is the whole file.
    """
    edges, blanks = (separator, "\n", "\r"), " \t".replace(separator, "")
    end = text.rfind(quote) + 1
    while end:
        start = len(text[max(0, end - _LONGEST_RUN) : end].rstrip(quote)) + max(0, end - _LONGEST_RUN)
        before, after = text[max(0, start - len(separator)) : start], text[end : end + _LONGEST_RUN].lstrip(blanks)
        is_odd, is_escaped = (end - start) % 2 == 1, before.endswith("\\")
        is_begin = before.endswith(edges) or (begins_file and not start)
        is_end = not after or after.startswith(edges)
        if is_end and (is_odd or is_begin or is_escaped):
            return None
        if is_begin and is_odd:
            return end
        end = text.rfind(quote, 0, start) + 1
    return None


def _java(sign: str) -> str:
    """Quote a text for Java's patterns."""
    return "".join(f"\\x{{{ord(letter):x}}}" for letter in sign)
