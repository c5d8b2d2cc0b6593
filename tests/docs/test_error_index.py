"""docs/errors.md has every class of errors.py, and its messages are those that the code raises."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from rankhammer import errors

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "errors.md").read_text()
TREES = (ROOT / "src" / "rankhammer", ROOT / "packages" / "rankhammer-doctor" / "src")
SOURCE = "\n".join(path.read_text() for tree in TREES for path in sorted(tree.rglob("*.py")))
CLASSES = [name for name, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


def _section(name: str) -> str:
    return PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", CLASSES)
def test_every_class_of_errors_has_its_section(name: str) -> None:
    assert _section(name) or name == "RankhammerError", f"docs/errors.md lacks ## {name}"
    assert f"`{name}`" in PAGE or _section(name)


@pytest.mark.parametrize("name", [name for name in CLASSES if name.endswith("Error") and name != "RankhammerError"])
def test_every_error_has_causes_with_cures(name: str) -> None:
    rows = [row for row in _section(name).splitlines() if row.startswith("| `")]
    assert len(rows) >= 3
    assert all(row.count(" | ") == 2 for row in rows)


def test_messages_of_the_index_are_raised_by_the_code() -> None:
    """The longest fixed part of each message stands in the code: one that is reworded is noticed here."""
    messages = [
        message
        for row in re.findall(r"^\| (`.*?) \| ", PAGE, re.MULTILINE)
        for message in re.findall(r"`([^`]+)`", row)
    ]
    assert len(messages) > 30
    code = re.sub(r'"\s*\n\s*f?"', "", SOURCE)
    assert [message for message in messages if not any(part in code for part in _fixed_parts(message))] == []


def _fixed_parts(message: str) -> list[str]:
    """Return the longest part without a value in it; values are quoted, numbers, or dots."""
    parts = re.split(r"\.\.\.|'[^']*'|\[|\]|\d+", message)
    return [max(parts, key=len).strip(" :,;()")]
