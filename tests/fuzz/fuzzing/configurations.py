"""conf/base with one change: a key mistyped, left out or added, a value of another kind, or a file that is damaged."""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

CONF = Path(__file__).parents[3] / "conf"
SECRET = "s3cr3t-w0rd"
CREDENTIALS = {"search": {"username": "me", "password": SECRET}}
FILES = [
    *("globals.yml", "spark.yml", "cluster.yml", "deploy.yml", "credentials.yml"),
    *sorted(f"{path.parent.name}/{path.name}" for path in CONF.glob("base/*/*.yml")),
]
_OF_OTHERS = frozenset({"load_args", "save_args", "metadata", "fs_args"})
"""Keys whose content is Spark's or Kedro's, not ours."""
_WRONG: list[Any] = [
    [],
    [[1]],
    {},
    {"a": {"b": 1}},
    "many",
    "",
    " ",
    -1,
    -(10**30),
    10**400,
    math.nan,
    math.inf,
    1.5,
    True,
    "\x7f",
    "a\nb",
    "../../..",
    "9" * 5000,
    [None],
    "2026-01-01",
]
_BROKEN = [
    b"",
    b"a: [1, 2\nb: 3\n",
    b"a:\n\tb: 1\n",
    b"- a\n- b\n",
    b"just words\n",
    b"a: 1\na: 2\n",
    b"a: ${nowhere.at_all}\n",
    b"a: ${globals:nowhere}\n",
    b"a: ${unknown_resolver:x}\n",
    b"a: ${a}\n",
    b"a: ${\n",
    b"a: *nothing\n",
    b"\xff\xfe\x00a\x00:",
    b"a: \x00\n",
    b"!!python/object/apply:os.system ['true']\n",
    b"---\na: 1\n---\nb: 2\n",
    b"1: a\n",
    b"? [a, b]\n: c\n",
    b"[" * 500,
    b"a: !!binary 'x'\n",
    b"null\n",
]


@dataclass(frozen=True)
class Change:
    """What is done to conf.

    Args:
        file: Name below conf/base.
        what: In words.
        keys: One of these an error has to name.
        content: What the file holds then.
        may_differ: Whether what is accepted may mean something else: the key is another program's.
    """

    file: str
    what: str
    keys: tuple[str, ...]
    content: bytes
    may_differ: bool = False


def make_change(rng: random.Random, number: int) -> Change:
    """Return a change; files take turns."""
    file = FILES[number % len(FILES)]
    if rng.random() < 0.15:
        content = rng.choice(_BROKEN)
        # Whatever is read where a whole file is gone, the run is another one.
        stem = Path(file).stem
        # The catalog of a run is named by its kind or by an entry that is gone.
        keys = (stem, file.partition("/")[0], *(_read(file) if "/" in file else ()))
        return Change(file, f"holds {content[:40]!r}", keys, content, may_differ=True)
    values = _read(file)
    # YAML reads the key `on` as true.
    named = [path for path in _paths(values) if all(isinstance(part, str) for part in path)]
    path = rng.choice([path for path in named if not _OF_OTHERS & {*path[:-1]}])
    inner, key = _inner(values, path), path[-1]
    kind = rng.choice(["typing error", "typing error", "removed", "added", "wrong", "wrong", "wrong"])
    before = inner[key]
    new, what = _apply(rng, inner, key, kind)
    differs = _may_differ(file, path, kind, (before, inner.get(key)))
    return Change(file, f"{'.'.join(path)} {what}", (key, new), yaml.safe_dump(values).encode(), may_differ=differs)


def _may_differ(file: str, path: tuple[str, ...], kind: str, values: tuple[Any, Any]) -> bool:
    """Say whether a change is a configuration of its own: a text for a text, a key of Spark, no input."""
    before, after = values
    if kind == "wrong":
        is_plain = not isinstance(after, (dict, list))
        is_text = isinstance(after, str) and (isinstance(before, str) or path[-1] in ("accept_worse", "test_pattern"))
        # Corpora may be called like numbers.
        return is_plain and (file == "spark.yml" or is_text or path == ("corpora",))
    if file == "spark.yml":
        return path[-1].startswith("spark.")
    if path == ("lineage",):
        # Without an entry it is kept in memory, too.
        return True
    if kind == "removed" and path[-1] == "driver_overhead_mb":
        # What it is by itself is not what the small profile has.
        return True
    return kind == "removed" and path[0] in ("reference_judgments", "result_lists", "previous_click_model")


def _apply(rng: random.Random, inner: dict[str, Any], key: str, kind: str) -> tuple[str, str]:
    """Change one key; return the key that a refusal has to name, and what was done."""
    if kind == "removed":
        del inner[key]
        return key, "is removed"
    if kind == "added":
        new = rng.choice(["extra", "max_x", f"{key}_", key.upper(), "on"])
        inner[new] = inner[key]
        return new, f"has a neighbour {new}"
    if kind == "wrong":
        value = rng.choice([one for one in _WRONG if one != inner[key]])
        inner[key] = value
        return key, f"is {str(value)[:30]!r}"
    place = rng.randrange(len(key))
    mistyped = rng.choice([key[:place] + key[place + 1 :], key[:place] + "x" + key[place:], key[::-1], key.title()])
    mistyped = mistyped if mistyped and mistyped != key and mistyped not in inner else f"{key}x"
    inner[mistyped] = inner.pop(key)
    return mistyped, f"is mistyped {mistyped}"


def laid_out(change: Change | None, folder: Path) -> Path:
    """Write conf with a change into a folder."""
    shutil.copytree(CONF / "base", folder / "base")
    (folder / "local").mkdir()
    (folder / "local" / "credentials.yml").write_text(yaml.safe_dump(CREDENTIALS))
    (folder / "local" / "credentials.yml").chmod(0o600)
    if change is not None:
        (folder / ("local" if change.file == "credentials.yml" else "base") / change.file).write_bytes(change.content)
    return folder


def _read(file: str) -> dict[str, Any]:
    if file == "credentials.yml":
        return {name: dict(entry) for name, entry in CREDENTIALS.items()}
    found: dict[str, Any] = yaml.safe_load((CONF / "base" / file).read_text())
    return found


def _paths(values: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for key, value in values.items() if isinstance(values, dict) else ():
        yield (*path, key)
        yield from _paths(value, (*path, key))


def _inner(values: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for key in path[:-1]:
        values = values[key]
    return values
