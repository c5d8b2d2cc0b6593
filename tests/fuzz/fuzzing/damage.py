"""What disks, editors and other versions do to the files that runs leave."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

OTHER_JSON: list[Any] = [
    *([], {}, None, 7, "text", [{}], {"format": 99}, {"format": "x"}, {"format": None}, {"files": 3}),
    {"name": 1, "digest": [], "node": {}},
    {"number": "x", "version": None, "digest": None, "files": None},
    {"version": "../../x", "digest": "0", "files": ["../../etc/passwd"]},
    {"token": 3, "machine": None, "pid": "x", "heartbeat_s": "y", "started": []},
    {"released_by": 3},
    {"type": "struct", "fields": 3},
]


def emptied(files: list[Path], rng: random.Random) -> str:
    file = rng.choice(files)
    file.write_bytes(b"")
    return f"{file.name} is empty"


def truncated(files: list[Path], rng: random.Random) -> str:
    file = rng.choice(files)
    content = file.read_bytes()
    keep = rng.randrange(max(1, len(content)))
    file.write_bytes(content[:keep])
    return f"{file.name} is cut at {keep} of {len(content)}"


def random_bytes(files: list[Path], rng: random.Random) -> str:
    file = rng.choice(files)
    file.write_bytes(rng.randbytes(rng.choice([1, 50, max(1, file.stat().st_size)])))
    return f"{file.name} holds random bytes"


def other_json(files: list[Path], rng: random.Random) -> str:
    file, content = rng.choice(files), rng.choice(OTHER_JSON)
    file.write_text(json.dumps(content))
    return f"{file.name} holds {content}"


def changed_json(files: list[Path], rng: random.Random) -> str:
    """Take a key of a JSON file away, or give it a value of another type."""
    found = [file for file in files if isinstance(_json(file), dict)]
    if not found:
        return other_json(files, rng)
    file = rng.choice(found)
    content = _json(file)
    inner = content
    while isinstance(inner, dict) and inner and rng.random() < 0.5:
        maps = [value for value in inner.values() if isinstance(value, dict) and value]
        inner = rng.choice(maps) if maps else inner
        if not maps:
            break
    key = rng.choice(sorted(inner) or ["x"])
    if rng.random() < 0.4:
        inner.pop(key, None)
        what = f"lacks {key!r}"
    else:
        inner[key] = rng.choice([None, 7, "x", [], {}, [3], {"a": 1}, -1.5, True, "../x"])
        what = f"has {key!r}: {inner[key]!r}"
    file.write_text(json.dumps(content))
    return f"{file.name} {what}"


def newer(files: list[Path], rng: random.Random) -> str:
    found = [file for file in files if isinstance(_json(file), dict)]
    if not found:
        return random_bytes(files, rng)
    file = rng.choice(found)
    file.write_text(json.dumps({**_json(file), "format": rng.choice([3, 99, 1e9, "3", -1])}))
    return f"{file.name} is of another version"


def deleted(files: list[Path], rng: random.Random) -> str:
    file = rng.choice(files)
    file.unlink()
    return f"{file.name} is deleted"


def doubled(files: list[Path], rng: random.Random) -> str:
    """Copy a file beside itself, under a name as those that are there."""
    file = rng.choice(files)
    name = rng.choice([f"copy-{file.name}", f"{file.stem}-1{file.suffix}", "000009.json", f"{file.name} (1)"])
    shutil.copy(file, file.with_name(name))
    return f"{file.name} is there once more, as {name}"


def swapped(files: list[Path], rng: random.Random) -> str:
    """Exchange the contents of two files."""
    if len(files) < 2:
        return random_bytes(files, rng)
    one, other = rng.sample(files, 2)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return f"{one.name} and {other.name} are exchanged"


def flipped(files: list[Path], rng: random.Random) -> str:
    """Change one bit; the time of change stays at times, as when a disk does it."""
    file = rng.choice(files)
    content, times = bytearray(file.read_bytes()), file.stat()
    if not content:
        return deleted(files, rng)
    place = rng.randrange(len(content))
    content[place] ^= 1 << rng.randrange(8)
    file.write_bytes(bytes(content))
    keeps_time = rng.random() < 0.5
    if keeps_time:
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    return f"{file.name} has another bit at {place} of {len(content)}{', at the same time' if keeps_time else ''}"


def a_folder(files: list[Path], rng: random.Random) -> str:
    file = rng.choice(files)
    file.unlink()
    file.mkdir()
    return f"{file.name} is a folder"


DAMAGES: list[Callable[[list[Path], random.Random], str]] = [
    emptied,
    truncated,
    random_bytes,
    other_json,
    changed_json,
    changed_json,
    newer,
    deleted,
    doubled,
    swapped,
    flipped,
    flipped,
    a_folder,
]


def files_below(folder: Path) -> list[Path]:
    """Return what can be damaged, in name order; links are what they lead to."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except ValueError:
        return None
