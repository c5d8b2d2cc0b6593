"""A case that fails says how it is repeated alone; each has a working directory of its own, which stays empty."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import ci_plan
import pytest

sys.path.append(str(Path(__file__).parent))
from fuzzing.seeds import SEED, VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent


PART = "RANKHAMMER_FUZZ_PART"
N_PARTS = 5
"""Where `PART` is set, as in CI, a commit runs one part of the cases, and five in a row run all."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    mine = [item for item in items if item.path.is_relative_to(HERE)]
    for item in mine:
        item.add_marker(pytest.mark.fuzz)
        item.add_marker(pytest.mark.budget("fuzz"))
    if os.environ.get(PART):
        turn = ci_plan.commit_number(HERE.parents[1])
        left = [item for place, item in enumerate(mine) if _part(item, place) != turn % N_PARTS]
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=left)


def _part(item: pytest.Item, place: int) -> int:
    """Spread the kinds of a suite, which take turns by the number's last digit, over the parts."""
    callspec = getattr(item, "callspec", None)
    number = callspec.params.get("number", place) if callspec else place
    return (number // 10 + number) % N_PARTS


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    if report.failed and item.path.is_relative_to(HERE):
        report.sections.append(("repeat it alone", f'make fuzz SEED={SEED} ARGS="{item.nodeid}"  ({VARIABLE}={SEED})'))
    return report


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    """A folder that holds `work`, where the case runs: nothing may be written into it."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path
