"""Each rule of the doctor has a page with what it means, why, an example and the remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "doctor"
SOURCE = ROOT / "packages/rankhammer-doctor/src/rankhammer_doctor"
RULES = sorted({rule for path in SOURCE.rglob("*.py") for rule in re.findall(r'rule="([CDLS]\d+)"', path.read_text())})


def test_all_rules_are_there():
    assert {f"S{n}" for n in range(1, 27)} <= set(RULES)
    assert {f"D{n}" for n in range(1, 21)} - {"D10"} <= set(RULES)
    assert {f"L{n}" for n in range(1, 7)} <= set(RULES)


@pytest.mark.parametrize("rule", [*RULES, "D10"])
def test_a_rule_has_a_page_that_the_index_lists(rule):
    text = (PAGES / f"{rule}.md").read_text()
    assert text.startswith(f"# {rule}: ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Why", "Example", "Remedy"]
    assert f"[{rule}]({rule}.md)" in (PAGES / "index.md").read_text()


def test_no_page_is_of_a_rule_that_is_gone():
    named = {path.stem for path in PAGES.glob("[CDLS]*.md")}
    assert named == {*RULES, "D10"}
