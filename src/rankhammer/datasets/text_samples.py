"""Looks at parts of a text file: is it in the encoding in which it is read, and are its lines JSON?

A file in another encoding is read without an error: each sign that UTF-8 does not know becomes U+FFFD, and queries that
differ in such a sign become one query.
"""

from __future__ import annotations

import bz2
import json
import zlib
from typing import TYPE_CHECKING, Any

from rankhammer.datasets import file_kinds
from rankhammer.datasets.file_kinds import is_text
from rankhammer.errors import DataError, SchemaError

if TYPE_CHECKING:
    from rankhammer.datasets.file_kinds import ReaderOptions
    from rankhammer.datasets.input_files import InputFile

PART = 1 << 16
"""Bytes of each part of a file that is looked at."""
WHOLE_UP_TO = 1 << 18
"""A file of at most so many bytes is looked at as a whole; of a larger one `N_PARTS` parts, evenly spread."""
N_PARTS = 4
MAX_BAD_SHARE = 0.001
"""Share of lines that may hold bytes which are not in the encoding: logs have a few from broken clients."""
MAX_UNFIT_SHARE = 0.05
"""Share of a file's first lines that may not fit its format: more is no slip of a line."""
_RECORDS_LOOKED_AT = 100
_OBJECTS = ((b"{", b"}"), (b"[", b"]"))
_BOM = b"\xef\xbb\xbf"
_UTF8 = ("utf-8", "utf8")
_WIDE = ("utf-16", "utf-32", "utf16", "utf32")
_HINT = (
    "Set load_args: {encoding: ISO-8859-1} for this input in globals.yml where that wrote it; else convert it to UTF-8."
)


def sample(file: InputFile) -> list[bytes]:
    """Read some parts of a file: whole lines each, but for a line that is longer than a part.

    Args:
        file: If it is compressed, only its beginning is looked at, and only of gzip, bzip2 and deflate.
    """
    if file_kinds.is_compressed(file.base_name):
        return [_whole_lines(first_bytes(file), is_first=True)]
    if file.size <= WHOLE_UP_TO:
        return [file.read(0, file.size)]
    starts = [number * (file.size - PART) // (N_PARTS - 1) for number in range(N_PARTS)]
    return [_whole_lines(file.read(start, PART), is_first=start == 0) for start in starts]


def first_bytes(file: InputFile) -> bytes:
    """Return the beginning of a file, decompressed where its name's ending says so; empty where that cannot be done."""
    content, suffix = file.read(0, PART), file_kinds.ending(file.base_name)
    if not file_kinds.is_compressed(file.base_name):
        return content
    if suffix not in (".gz", ".bz2", ".deflate"):
        return b""
    codec: Any = bz2.BZ2Decompressor() if suffix == ".bz2" else zlib.decompressobj(wbits=47)
    try:
        decompressed: bytes = codec.decompress(content, PART)
    except (OSError, EOFError, zlib.error):
        # Spark says what is wrong with it.
        return b""
    return decompressed


def require_json_lines(file: InputFile, options: ReaderOptions) -> None:
    """Refuse a file of which many of the first lines are no JSON objects.

    Args:
        file: Of format json.
        options: The reader's.

    Raises:
        DataError: More than a few lines begin or end as no object does.
    """
    if options.is_on("multiLine") or options.has("mode") or options.has("lineSep"):
        return
    lines = [line.strip().removeprefix(_BOM) for line in _whole_lines(first_bytes(file), is_first=True).splitlines()]
    bad = [number for number, line in enumerate(lines, 1) if line and (line[:1], line[-1:]) not in _OBJECTS]
    if len(bad) > MAX_UNFIT_SHARE * len(lines):
        raise DataError(
            f"Input file {file.path}: {len(bad)} of its first {len(lines)} lines are no JSON objects; the first of "
            f"them is line {bad[0]}.",
            hint="Each line has to be one object. Where an object or a list goes over several lines, set load_args: "
            "{multiLine: true} for this input in globals.yml.",
            path=file.path,
            n_bad=len(bad),
        )


def first_keys(file: InputFile, options: ReaderOptions) -> dict[str, str]:
    """Return the keys of a JSON file's first records: in small letters to how they are spelled.

    Args:
        file: Of format json.
        options: The reader's; of records over several lines nothing is looked at.

    Raises:
        SchemaError: Two records spell a key differently.
    """
    if options.is_on("multiLine") or options.has("lineSep"):
        return {}
    found: dict[str, str] = {}
    for line in _whole_lines(first_bytes(file), is_first=True).splitlines()[:_RECORDS_LOOKED_AT]:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        # Of both in one record Spark tells itself.
        own = {name.casefold(): name for name in record} if isinstance(record, dict) else {}
        for folded, name in own.items():
            if found.get(folded, name) not in record:
                raise differently_spelled(found[folded], name, file.path)
        found = own | found
    return found


def differently_spelled(one: str, other: str, path: str) -> SchemaError:
    """Return the refusal of keys that differ in upper and lower case only: Spark reads one of them, and loses one.

    Args:
        one: As the input has it before.
        other: As it is in the file.
        path: Of the file.
    """
    return SchemaError(
        f"Input file {path} has the key {other!r}, and records before have {one!r}: case makes no other name.",
        hint="Write it in one way where the files are made.",
        path=path,
    )


def require_encoding(file: InputFile, file_format: str, options: ReaderOptions) -> None:
    """Refuse a file that is not in the encoding in which it would be read.

    Args:
        file: As for `sample`.
        file_format: Spark's name of its format.
        options: The reader's; `encoding` is UTF-8 where it is not set.

    Raises:
        DataError: It is binary, or too many of its lines are in another encoding.
    """
    encoding = options.text("encoding", "utf-8").lower()
    parts = [] if encoding.startswith(_WIDE) else sample(file)
    if not all(map(is_text, parts)):
        raise DataError(
            f"Input file {file.path} is no {file_format} text: it has zero bytes.",
            hint="Where it is UTF-16, set load_args: {encoding: UTF-16, multiLine: true}; else take it out.",
            path=file.path,
        )
    bad, n = _undecodable(parts)
    if encoding in _UTF8:
        _require_utf8(file, bad, n)
    elif not bad and not all(map(bytes.isascii, parts)):
        raise DataError(
            f"Input file {file.path} is UTF-8, but load_args says encoding: {options.text('encoding', '')}.",
            hint="Leave `encoding` out for this input in globals.yml.",
            path=file.path,
        )


def _require_utf8(file: InputFile, bad: list[bytes], n_lines: int) -> None:
    if len(bad) > MAX_BAD_SHARE * n_lines:
        example = bad[0].decode(errors="replace").strip()[:60]
        raise DataError(
            f"Input file {file.path} is not UTF-8: {len(bad)} of {n_lines} lines that were looked at would be read "
            f"with U+FFFD (\ufffd) in the place of a letter, such as {example!r}.",
            hint=_HINT,
            path=file.path,
            n_bad=len(bad),
            n_lines=n_lines,
        )


def _undecodable(parts: list[bytes]) -> tuple[list[bytes], int]:
    """Return the lines that are not UTF-8, or hold a U+FFFD that an earlier reading has left, and the number of all."""
    bad, n = list[bytes](), 0
    for part in parts:
        n += part.count(b"\n") + (not part.endswith(b"\n"))
        if not _is_sound(part):
            bad += [line for line in part.split(b"\n") if not _is_sound(line)]
    return bad, n


def _is_sound(text: bytes) -> bool:
    try:
        return "\ufffd" not in text.decode()
    except UnicodeDecodeError:
        return False


def _whole_lines(part: bytes, *, is_first: bool) -> bytes:
    """Cut what begins or ends within a line; a part without a line's end is cut where a letter begins."""
    start = 0 if is_first else part.find(b"\n") + 1
    end = part.rfind(b"\n") + 1 if len(part) == PART else len(part)
    if end > start:
        return part[start:end]
    return part.decode(errors="ignore").encode()
