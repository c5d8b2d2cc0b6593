"""What Spark's event logs are compressed with, told apart by their first bytes and not by their names.

References:
    lz4-java, LZ4BlockOutputStream: 21-byte headers ("LZ4Block", token, two sizes, checksum) before raw LZ4 blocks.
    snappy-java, SnappyOutputStream: a 16-byte header, then blocks of raw Snappy behind their big-endian length.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa

from rankhammer_doctor.errors import DoctorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CHUNK = 1 << 20
"""Bytes that are read at once."""
MAX_BLOCK = 1 << 28
"""A block that claims to be larger is damage: lz4-java ends at 32 MiB, snappy-java's default is 32 KiB."""
_STEP, _SMALL_STEP, _NEAR_END = 1 << 16, 16, 1 << 17
_LZ4_MAGIC, _SNAPPY_MAGIC = b"LZ4Block", b"\x82SNAPPY\x00"
_LZ4_HEADER = struct.Struct("<8sBiiI")
_LZ4_RAW, _LZ4_COMPRESSED = 0x10, 0x20
_SNAPPY_HEADER = 16
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
"""What editors put before a text."""
_STREAMS = ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\x1f\x8b", "gzip"), (b"\x04\x22\x4d\x18", "lz4"), (b"BZh", "bz2"))


class _Source:
    """A stream that can be looked ahead in.

    Args:
        raw: What is read.
        head: What was read of it before.
    """

    def __init__(self, raw: BinaryIO, head: bytes = b"") -> None:
        self._raw = raw
        self._buffer = bytearray(head)

    def peek(self, n: int) -> bytes:
        """Return the next n bytes, or fewer at the end, and leave them there."""
        while len(self._buffer) < n:
            more = self._raw.read(max(CHUNK, n - len(self._buffer)))
            if not more:
                break
            self._buffer += more
        return bytes(self._buffer[:n])

    def take(self, n: int) -> bytes:
        """Return the next n bytes, or fewer at the end."""
        found = self.peek(n)
        del self._buffer[: len(found)]
        return found

    def skip_to(self, marker: bytes) -> int | None:
        """Go on to the next marker.

        Returns:
            Bytes that were passed over, or None where there is none any more.
        """
        passed = 0
        while True:
            self.peek(len(marker))
            place = self._buffer.find(marker)
            if place >= 0:
                del self._buffer[:place]
                return passed + place
            dropped = max(0, len(self._buffer) - len(marker) + 1)
            del self._buffer[:dropped]
            passed += dropped
            if len(self.peek(CHUNK)) < len(marker):
                return None


def decompress(raw: BinaryIO, on_damage: Callable[[str], None]) -> Iterator[bytes]:
    """Yield what a file holds, as far as it can be read.

    Args:
        raw: The file.
        on_damage: Called with what is missing and why; reading goes on behind it where that is possible.

    Raises:
        DoctorError: It is compressed with LZF, which needs a JVM.
    """
    head = raw.read(_SNAPPY_HEADER)
    source = _Source(raw, head.removeprefix(_BYTE_ORDER_MARK))
    if head.startswith(_LZ4_MAGIC):
        yield from _lz4_blocks(source, on_damage)
    elif head.startswith(_SNAPPY_MAGIC):
        yield from _snappy_blocks(source, on_damage)
    elif head.startswith(b"ZV") and head[2:3] in (b"\x00", b"\x01"):
        raise DoctorError(
            "The event log is compressed with LZF, which is not read.",
            hint="Set spark.eventLog.compression.codec to zstd; this log can be opened in the History Server.",
        )
    else:
        codec = next((name for magic, name in _STREAMS if head.startswith(magic)), None)
        yield from _stream(source, codec, on_damage) if codec else _plain(source)


def _plain(source: _Source) -> Iterator[bytes]:
    while chunk := source.take(CHUNK):
        yield chunk


class _Readable:
    """The part of a file's interface that pyarrow asks for."""

    closed = False

    def __init__(self, source: _Source) -> None:
        self._source = source

    @property
    def is_near_end(self) -> bool:
        """Whether less is left than pyarrow may take in two reads."""
        return len(self._source.peek(_NEAR_END)) < _NEAR_END

    def read(self, n: int = -1) -> bytes:
        """Return up to n bytes."""
        return self._source.take(n if n and n > 0 else CHUNK)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def writable(self) -> bool:
        """Say that it cannot be written."""
        return False

    def seekable(self) -> bool:
        """Say that it has no positions."""
        return False

    def close(self) -> None:
        """Leave the file to its owner."""
        self.closed = True


def _stream(source: _Source, codec: str, on_damage: Callable[[str], None]) -> Iterator[bytes]:
    """Read a standard stream.

    A read that meets the end of a stream that was cut off loses all that it has read: towards the end steps are small.
    """
    readable = _Readable(source)
    stream = pa.CompressedInputStream(pa.PythonFile(readable, mode="r"), codec)
    pending = bytearray()
    while True:
        try:
            chunk = stream.read(_SMALL_STEP if readable.is_near_end else _STEP)
        except (OSError, ValueError) as exc:
            yield bytes(pending)
            on_damage(f"the {codec} stream ends early or is damaged ({_first_line(exc)}); what follows is missing")
            return
        pending += chunk
        if not chunk or len(pending) >= CHUNK:
            yield bytes(pending)
            pending.clear()
        if not chunk:
            return


def _lz4_blocks(source: _Source, on_damage: Callable[[str], None]) -> Iterator[bytes]:
    codec = pa.Codec("lz4_raw")
    while header := source.take(_LZ4_HEADER.size):
        block = _lz4_block(source, header, codec)
        if isinstance(block, bytes):
            if block:
                yield block
            continue
        passed = source.skip_to(_LZ4_MAGIC)
        rest = "what follows is missing" if passed is None else f"{passed} bytes are passed over"
        on_damage(f"an LZ4 block {block.reason}; {rest}")
        # A line that the damage has torn must not be joined with one behind it.
        yield b"\n"


class _BadBlock:
    """A block that cannot be read, and why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def _lz4_block(source: _Source, header: bytes, codec: pa.Codec) -> bytes | _BadBlock:
    if len(header) < _LZ4_HEADER.size:
        return _BadBlock("is cut off")
    magic, token, packed, size, _ = _LZ4_HEADER.unpack(header)
    method = token & 0xF0
    if magic != _LZ4_MAGIC or method not in (_LZ4_RAW, _LZ4_COMPRESSED) or not 0 <= size <= MAX_BLOCK:
        return _BadBlock("has a damaged header")
    if not 0 <= packed <= MAX_BLOCK:
        return _BadBlock("has a damaged header")
    content = source.peek(packed)
    if len(content) < packed:
        return _BadBlock("is cut off")
    try:
        text = content if method == _LZ4_RAW or not size else codec.decompress(content, size, asbytes=True)
    except (OSError, ValueError):
        return _BadBlock("is damaged")
    source.take(packed)
    return bytes(text)


def _snappy_blocks(source: _Source, on_damage: Callable[[str], None]) -> Iterator[bytes]:
    codec = pa.Codec("snappy")
    while True:
        if source.peek(len(_SNAPPY_MAGIC)) == _SNAPPY_MAGIC:
            source.take(_SNAPPY_HEADER)
        prefix = source.take(4)
        if not prefix:
            return
        size = int.from_bytes(prefix, "big") if len(prefix) == 4 else -1
        block = source.take(size) if 0 <= size <= MAX_BLOCK else b""
        if size < 0 or size > MAX_BLOCK or len(block) < size:
            on_damage("a Snappy block is cut off or its length is damaged; what follows is missing")
            return
        try:
            yield codec.decompress(block, _varint(block), asbytes=True)
        except (OSError, ValueError) as exc:
            on_damage(f"a Snappy block is damaged ({_first_line(exc)}); its lines are missing")
            yield b"\n"


def _varint(block: bytes) -> int:
    """Return the size of a raw Snappy block once it is decompressed: its first bytes say it."""
    size = 0
    for place, byte in enumerate(block[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            if size > MAX_BLOCK:
                break
            return size
    raise ValueError("its size is damaged")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
