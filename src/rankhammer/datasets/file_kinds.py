"""What a file is by its first bytes, and a reader's options as Spark takes them."""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_KINDS = (
    (b"PAR1", "Parquet", "parquet"),
    (b"PARE", "encrypted Parquet", ""),
    (b"ORC", "ORC", "orc"),
    (b"Obj\x01", "Avro", "avro"),
    (b"\x1f\x8b", "gzip", ".gz"),
    (b"BZh", "bzip2", ".bz2"),
    (b"\x28\xb5\x2f\xfd", "Zstandard", ".zst"),
    (b"\x04\x22\x4d\x18", "an LZ4 frame", ""),
    (b"\xff\x06\x00\x00sNaPpY", "a snappy stream", ""),
    (b"\xfd7zXZ\x00", "xz", ""),
    (b"PK\x03\x04", "a zip archive (or a spreadsheet)", ""),
    (b"%PDF", "a PDF", ""),
    (b"SQLite format 3", "an SQLite database", ""),
    (b"\xff\xfe\x00\x00", "UTF-32 text", "encoding:UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32 text", "encoding:UTF-32"),
    (b"\xff\xfe", "UTF-16 text", "encoding:UTF-16"),
    (b"\xfe\xff", "UTF-16 text", "encoding:UTF-16"),
)
COLUMNAR = {"parquet": (b"PAR1", b"PAR1"), "orc": (b"ORC", b"")}
"""Formats that begin, and end, with certain bytes."""
TEXTS = frozenset({"csv", "json", "text", "xml"})
CODECS = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".zst": b"\x28\xb5\x2f\xfd", ".deflate": b"\x78"}
"""Endings by which Hadoop's client decompresses a text file, with the first bytes that it then has to have."""
BLOCK_CODECS = (".snappy", ".lz4")
"""Those in Hadoop's own framing: two lengths, then a block."""
_MAX_BLOCKS = 4096


@dataclass(frozen=True)
class Kind:
    """What bytes look like.

    Args:
        name: In words.
        cure: Format, ending (.gz) or "encoding:<name>" that reads it; empty where nothing does.
    """

    name: str
    cure: str

    @property
    def hint(self) -> str:
        """What to change in the input's entry in globals.yml, or with the file."""
        if self.cure.startswith("encoding:"):
            encoding = self.cure.partition(":")[2]
            return f"Set load_args: {{encoding: {encoding}, multiLine: true}} for this input in globals.yml."
        if self.cure.startswith("."):
            return f"Let the file's name end in {self.cure}, so that it is decompressed."
        if self.cure:
            return f"Set format: {self.cure} for this input in globals.yml, or take the file out of the folder."
        return "Write it as Parquet, CSV or JSON lines, or take the file out of the folder."


def recognize(head: bytes) -> Kind | None:
    """Name the format of a file that has a mark of its own; None for text and what is unknown.

    Args:
        head: Its first bytes, 16 or more where it has them.
    """
    return next((Kind(name, cure) for mark, name, cure in _KINDS if head.startswith(mark)), None)


def describe(head: bytes) -> str:
    """Say what a file without the right mark is.

    Args:
        head: Its first bytes.
    """
    kind = recognize(head)
    if kind:
        return kind.name
    if not head:
        return "empty"
    return "text" if is_text(head) else "of no known format"


def is_text(head: bytes) -> bool:
    """Say whether bytes can be text in an encoding of one byte a sign, or UTF-8: no text has a zero byte."""
    return b"\0" not in head


def ending(name: str) -> str:
    """Return the last part of a file's name, such as ".gz"; empty where it has no dot."""
    _, dot, last = name.rpartition(".")
    return f"{dot}{last}".lower() if dot else ""


def is_compressed(name: str) -> bool:
    """Say whether Hadoop's client decompresses a text file, by the ending of its name."""
    return ending(name) in CODECS or ending(name) in BLOCK_CODECS


def is_cut_block_stream(read: Callable[[int, int], bytes], size: int) -> bool:
    """Say whether a file in Hadoop's framing of snappy or LZ4 ends within a block: its client would stop there quietly.

    Args:
        read: Returns the bytes from an offset on, so many.
        size: Bytes of the file.

    Returns:
        False also where the framing cannot be followed: a block may have several parts.
    """
    at = 0
    for _ in range(_MAX_BLOCKS):
        if at == size:
            return False
        head = read(at, 8)
        if len(head) < 8:
            return True
        if not is_block_stream(head, size):
            return False
        at += 8 + int.from_bytes(head[4:8], "big")
        if at > size:
            return True
    return False


def is_block_stream(head: bytes, size: int) -> bool:
    """Say whether a file begins like Hadoop's framing of snappy and LZ4.

    What does not lets Hadoop's client ask for gigabytes of memory, which ends the JVM.

    Args:
        head: Its first eight bytes.
        size: Bytes of the file.
    """
    whole, compressed = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    return len(head) >= 8 and 0 < whole <= 1 << 27 and 0 < compressed <= max(size, 1 << 20)


_ALIASES = {"delimiter": "sep", "charset": "encoding"}


class ReaderOptions:
    """Look-ups in `load_args`.

    Args:
        load_args: As the configuration has them.
    """

    def __init__(self, load_args: Mapping[str, Any]) -> None:
        named = {str(name).lower(): value for name, value in load_args.items()}
        self._values = {_ALIASES.get(name, name): value for name, value in named.items()}

    def has(self, name: str) -> bool:
        """Say whether an option is set."""
        return self._values.get(name.lower()) is not None

    def text(self, name: str, default: str) -> str:
        """Return an option as text; `default` where it is not set."""
        value = self._values.get(name.lower())
        return default if value is None else str(value)

    def is_on(self, name: str) -> bool:
        """Say whether a boolean option is true."""
        return self.text(name, "false").lower() == "true"

    @property
    def codec(self) -> str:
        """Python's codec of the encoding; one of a byte a sign where only Java knows it."""
        encoding = self.text("encoding", "utf-8")
        if encoding.lower() in ("utf-8", "utf8"):
            return "utf-8-sig"
        try:
            return codecs.lookup(encoding).name
        except LookupError:
            return "latin-1"
