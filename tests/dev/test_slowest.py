"""What a run of tests took is printed at its end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import ci_plan
import pytest
from nested import run_pytest
from pytest_plugins.note_seconds import noted_faults
from pytest_plugins.slowest import Slowest, Spent, beside_budget, slowest

if TYPE_CHECKING:
    from pathlib import Path

TWO = """
import time
import pytest
from pytest_plugins import slowest

slowest.LEAST_S = 0.2

@pytest.fixture(scope="module")
def server(kept):
    time.sleep(0.5)

@pytest.fixture(scope="session")
def kept():
    time.sleep(0.3)

def test_that_pays(server):
    pass

def test_that_does_not(server):
    pass
"""


def test_the_slowest_twenty_are_printed_with_their_share() -> None:
    spent = {f"t.py::test_{n}": Spent(n + 1.0) for n in range(30)}
    rows = slowest(spent, 200.0)
    assert len(rows) == 20
    assert rows[0].split() == ["30.0", "s", "15.0%", "t.py::test_29"]
    assert rows[-1].split() == ["11.0", "s", "5.5%", "t.py::test_10"]


def test_quick_tests_are_not_printed() -> None:
    assert slowest({"t.py::test_a": Spent(0.9)}, 1.0) == []


def test_who_pays_for_what_others_use_is_said(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, TWO, plugins=("slowest",))
    assert re.search(r"slowest 1 of 2 tests, in \d+ s of all", done.stdout)
    row = next(line for line in done.stdout.splitlines() if "%" in line and "::" in line)
    assert re.search(r"\d\.\d s +\d+\.\d%  test_inner.py::test_that_pays", row), row
    assert re.search(r"set-up that others use, too: kept 0\.\d s, server 0\.\d s", row), row
    assert "2 passed" in done.stdout.splitlines()[-1]


def test_a_suite_is_held_against_its_own_budget_and_the_rest_against_its(
    monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    monkeypatch.setenv("RANKHAMMER_SLOWDOWN", "2")
    budgets = ci_plan.read_budgets()
    run = Slowest(pytestconfig)
    run.spent |= {"a": Spent(50.0), "b": Spent(30.0), "c": Spent(5.0)}
    run.suites = {"a": "fuzz", "b": "fuzz"}
    run.is_whole = False
    suite = beside_budget("suite fuzz", 80.0, 2 * budgets.suites["fuzz"])
    assert run.beside_budgets(100.0) == [suite]
    run.is_whole = True
    rest = beside_budget("make test", 20.0, 2 * 1.05 * budgets.make_test)
    assert run.beside_budgets(100.0) == [suite, rest]
    assert beside_budget("x", 80.0, 70.0) == "x: 80 s, over its budget of 70 s"


def test_a_suite_without_a_budget_is_refused(tmp_path: Path) -> None:
    code = "import pytest\n@pytest.mark.budget('nobody')\ndef test_a(): pass\n"
    done = run_pytest(tmp_path, code, plugins=("slowest",))
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no budget 'nobody' in time_budgets.json" in done.stderr


def test_what_faults_took_is_noted_for_a_machine_of_reference() -> None:
    known = {"shared": {"site": 1, "baseline": 1}, "faults": {"test_a": 1, "test_b": 1, "test_c": 7}}
    spent = {
        "t.py::test_a": Spent(100.0, {"site": 50.0, "baseline": 30.0, "other": 5.0}),
        "t.py::test_b[x]": Spent(10.0),
        "t.py::test_b[y]": Spent(16.0),
        "t.py::test_c": Spent(99.0),
    }
    found = noted_faults(known, spent, ["t.py::test_a", "t.py::test_b[x]", "t.py::test_b[y]"], 2.0)
    assert found == {"shared": {"site": 25, "baseline": 15}, "faults": {"test_a": 10, "test_b": 8, "test_c": 7}}
