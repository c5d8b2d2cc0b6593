"""A source archive has every file of a new project folder."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_every_file_of_the_template_is_in_a_source_archive():
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["rankhammer"]["project-template"]
    files = {path.relative_to(ROOT).as_posix() for name in table["files"] for path in ROOT.glob(name) if path.is_file()}
    lines = [line.split() for line in (ROOT / "MANIFEST.in").read_text().splitlines() if line and line[0] != "#"]
    patterns = [f"{name}/*" if verb == "graft" else name for verb, *names in lines for name in names]
    assert [name for name in sorted(files) if not any(fnmatch(name, pattern) for pattern in patterns)] == []
