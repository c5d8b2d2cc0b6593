"""What helps before a commit: hooks by the tools of .venv, make targets that explain themselves, a map of the code."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
MAP = CONTRIBUTING.partition("## Where do I put ...")[2].partition("\n## ")[0]


def test_hooks_before_a_commit_are_the_checks_of_make_lint() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = {hook["entry"].removesuffix(" --force-exclude") for hook in local["hooks"]}
    command = ["make", "-n", "--no-print-directory", "checks"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert entries == {line.removesuffix(" .") for line in shown.splitlines()}


def test_every_target_of_make_that_people_type_explains_itself() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[1].split())
    explained = set(re.findall(r"^([a-z-]+):.*## .+$", makefile, re.MULTILINE))
    assert phony - explained == {"checks"}


def test_the_map_names_every_package_and_folders_that_are_there() -> None:
    rows = [row.split(" | ") for row in MAP.splitlines() if row.startswith("| ") and "---" not in row][1:]
    named = {name.split("/")[0] for row in rows for name in re.findall(r"`([\w/]+)/`", row[1])}
    packages = {path.parent.name for path in (ROOT / "src/rankhammer").glob("*/__init__.py")}
    demo_and_glue = {"demo", "pipelines", "datasets"}
    assert packages - demo_and_glue <= named
    tests = {name for row in rows for name in re.findall(r"`([\w/]+)/`", row[2])}
    assert [name for name in sorted(tests) if not (ROOT / "tests" / name).is_dir()] == []
    pages = {name for row in rows for name in re.findall(r"`([\w/]+\.md)`", row[3])}
    assert [name for name in sorted(pages) if not (ROOT / "docs" / name).is_file()] == []
