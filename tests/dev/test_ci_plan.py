"""CI cannot run out of time: which faults are begun, in which order, and what is said of the others."""

from __future__ import annotations

import ast
import math
import re
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import ci_plan
import machine_speed
import pytest
from ci_plan import Clock, Fault
from nested import run_pytest
from pytest_plugins import in_time

ROOT = Path(__file__).parents[2]
BUDGETS = ci_plan.read_budgets()
MINUTE = 60.0
N_COMMITS = 60


def _chaos_tests() -> list[ast.FunctionDef]:
    trees = (ast.parse(path.read_text()) for path in sorted((ROOT / "tests" / "chaos").glob("test_*.py")))
    found = (node for tree in trees for node in tree.body)
    return [node for node in found if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]


def _faults() -> list[Fault]:
    """Return the real faults; all share all, so that none seems cheaper than it is."""
    return [Fault(name, seconds, frozenset(BUDGETS.shared)) for name, seconds in BUDGETS.faults.items()]


def _chosen(commit: int, slowdown: float, last_run: dict[str, float] | None = None) -> list[Fault]:
    """Return the faults that a run of CI takes, on a machine where everything takes as long as planned."""
    clock = Clock(0.0, 60 * ci_plan.LIMIT_MINUTES, slowdown)
    turn = ci_plan.in_turn(_faults(), commit, last_run)
    return ci_plan.fitting(turn, clock.end - slowdown * (BUDGETS.set_up + BUDGETS.make_test), slowdown, BUDGETS)


def _whole_s(chosen: list[Fault], slowdown: float) -> float:
    """Return what a run of CI takes, on a machine where everything takes as long as planned."""
    return slowdown * (BUDGETS.set_up + BUDGETS.make_test + ci_plan.cost(chosen, BUDGETS) / ci_plan.SPREAD)


def test_every_fault_has_a_budget_and_every_budget_a_fault() -> None:
    assert sorted(node.name for node in _chaos_tests()) == sorted(BUDGETS.faults)


def test_what_faults_share_has_a_budget() -> None:
    tree = ast.parse((ROOT / "tests" / "chaos" / "conftest.py").read_text())
    fixtures = {node.name: ast.unparse(node) for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert {name for name, text in fixtures.items() if "scope='session'" in text} == set(BUDGETS.shared)


def test_a_good_machine_is_through_in_25_minutes() -> None:
    assert max(_whole_s(_chosen(commit, 1.0), 1.0) for commit in range(N_COMMITS)) <= 25 * MINUTE


@pytest.mark.parametrize("slowdown", [1.0, 1.5, 2.0, 3.0])
def test_three_commits_in_a_row_run_every_fault(slowdown: float) -> None:
    for first in range(N_COMMITS):
        run = {fault.id for commit in range(first, first + 3) for fault in _chosen(commit, slowdown)}
        assert run == set(BUDGETS.faults)


@pytest.mark.parametrize("slowdown", [1.0, 2.0, 3.0, 4.0, 5.0])
def test_no_machine_goes_beyond_the_limit(slowdown: float) -> None:
    assert max(_whole_s(_chosen(commit, slowdown), slowdown) for commit in range(N_COMMITS)) <= 75 * MINUTE


def test_a_machine_on_which_few_faults_fit_comes_to_all_of_them() -> None:
    # The tests alone take most of the time that there is.
    spent_s = 1 + BUDGETS.set_up + BUDGETS.make_test + ci_plan.cost(_longest(), BUDGETS)
    slowdown = 60 * ci_plan.LIMIT_MINUTES / spent_s
    chosen = [_chosen(commit, slowdown) for commit in range(N_COMMITS)]
    assert 1 <= min(map(len, chosen)) <= len(BUDGETS.faults) / 2
    assert {fault.id for faults in chosen for fault in faults} == set(BUDGETS.faults)


def _longest() -> list[Fault]:
    return [max(_faults(), key=lambda fault: fault.seconds)]


def test_a_slow_machine_with_a_memory_begins_with_what_was_not_run_for_longest() -> None:
    names = sorted(BUDGETS.faults)
    never, longest_ago = names[5], names[9]
    last_run = {name: 1000.0 + place for place, name in enumerate(names) if name != never} | {longest_ago: 1.0}
    for commit in range(N_COMMITS):
        assert [fault.id for fault in ci_plan.in_turn(_faults(), commit, last_run)[:2]] == [never, longest_ago]


def test_a_fault_that_does_not_fit_makes_room_for_shorter_ones() -> None:
    budgets = ci_plan.Budgets(0, 0, 0, {"site": 10}, {}, {})
    faults = [Fault("a", 50, frozenset({"site"})), Fault("b", 900), Fault("c", 40)]
    assert [fault.id for fault in ci_plan.fitting(faults, 100 * ci_plan.SPREAD, 1.0, budgets)] == ["a", "c"]
    assert [fault.id for fault in ci_plan.fitting(faults, 100 * ci_plan.SPREAD, 2.0, budgets)] == ["c"]
    assert ci_plan.cost(faults[:1], budgets, ready=frozenset({"site"})) == 50 * ci_plan.SPREAD


def test_the_slower_of_two_measures_of_a_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(machine_speed.NAME, "1.5")
    began = {ci_plan.BEGAN: "1000"}
    assert ci_plan.read_clock(began, 5000.0) == Clock(1000.0, 75 * MINUTE, 1.5)
    tested = {**began, ci_plan.TESTED: str(2 * BUDGETS.make_test), ci_plan.LIMIT: "50"}
    assert ci_plan.read_clock(tested, 5000.0) == Clock(1000.0, 50 * MINUTE, 2.0)
    assert Clock(1000.0, 75 * MINUTE, 2.0).end == 1000.0 + 50 * MINUTE


def test_a_machine_is_measured_unless_somebody_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(machine_speed.NAME, raising=False)
    monkeypatch.setattr(machine_speed, "_seconds", lambda n: 1.5 * n / machine_speed.N)
    assert machine_speed.slowdown(1000) == pytest.approx(3.0)
    monkeypatch.setattr(machine_speed, "_seconds", lambda n: 0.4 * n / machine_speed.N)
    assert machine_speed.slowdown(1000) == 1.0
    monkeypatch.setenv(machine_speed.NAME, "2.5")
    assert machine_speed.slowdown() == 2.5


def test_what_was_run_is_remembered_and_nonsense_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "new" / "faults.json"
    assert ci_plan.recall(file) == {}
    ci_plan.remember("a", 5.0, file)
    ci_plan.remember("b", 6.0, file)
    assert ci_plan.recall(file) == {"a": 5.0, "b": 6.0}
    for text in ("{half", "[1]", '{"a": "x"}'):
        file.write_text(text)
        assert ci_plan.recall(file) == {}


def _git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=n", "-c", "user.email=n@localhost"]
    return subprocess.run(["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True).stdout


def test_a_commit_has_a_number_also_where_history_is_cut_off(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    whole.mkdir()
    assert ci_plan.commit_number(whole) == 0
    _git(whole, "init", "-q")
    numbers = []
    for text in "abc":
        _git(whole, "commit", "-q", "--allow-empty", "-m", text)
        _git(tmp_path, "clone", "-q", "--depth=1", whole.as_uri(), str(cut / text))
        numbers.append((ci_plan.commit_number(whole), ci_plan.commit_number(cut / text)))
    assert [number for number, _ in numbers] == [1, 2, 3]
    assert len({number for _, number in numbers}) == 3


INNER = """
import pytest

@pytest.mark.chaos
def test_a_wrong_secret_of_s3_stops_a_run_before_it_works():
    pass

@pytest.mark.chaos
def test_an_upload_that_was_killed_is_ended_by_the_next_writer():
    pass
"""


def _in_time(folder: Path, code: str, *, minutes: float, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run two faults where so many minutes are left."""
    began = {
        ci_plan.BEGAN: str(time.time()),
        ci_plan.LIMIT: str(minutes),
        machine_speed.NAME: "1.0",
        ci_plan.TESTED: "",
    }
    kept = {"XDG_CACHE_HOME": str(folder / "cache")}
    return run_pytest(folder, code, "--in-time", plugins=("in_time",), **{**began, **kept, **environ})


def test_faults_that_fit_are_run_and_remembered(tmp_path: Path) -> None:
    done = _in_time(tmp_path, INNER, minutes=20)
    assert done.returncode == 0
    assert "2 passed" in done.stdout.splitlines()[-1]
    assert len(ci_plan.recall(tmp_path / "cache" / "rankhammer" / "ci_faults.json")) == 2


def test_faults_that_do_not_fit_are_named_and_leave_the_run_green(tmp_path: Path) -> None:
    done = _in_time(tmp_path, INNER, minutes=0.1)
    assert done.returncode == 0
    assert "2 faults left out for want of time" in done.stdout
    assert "::test_a_wrong_secret_of_s3_stops_a_run_before_it_works" in done.stdout
    assert "No fault was run." in done.stdout
    assert "2 deselected" in done.stdout.splitlines()[-1]


def test_a_machine_that_turns_out_slower_begins_fewer_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(machine_speed.NAME, "1.0")
    monkeypatch.setattr(ci_plan, "MEMORY", tmp_path / "faults.json")
    run = in_time.InTime(Clock(time.time(), 20 * MINUTE, 1.0))
    tests = [SimpleNamespace(nodeid=name, originalname=name, fixturenames=[]) for name in list(BUDGETS.faults)[:3]]
    first, second, third = map(run.fault, tests)
    # The third one's turn is before the second one's.
    run.to_do = [first, third, second]
    run.pytest_runtest_setup(tests[0])
    run.note(first, run.began + 12 * first.seconds)
    assert run.slowdown == pytest.approx(12)
    assert 12 * ci_plan.cost([third], BUDGETS) < 20 * MINUTE < 12 * ci_plan.cost([third, second], BUDGETS)
    with pytest.raises(pytest.skip.Exception, match="left out for want of time"):
        run.pytest_runtest_setup(tests[1])
    run.pytest_runtest_setup(tests[2])
    assert run.left_out == [second.id]


def test_a_fault_without_a_budget_is_refused(tmp_path: Path) -> None:
    done = _in_time(tmp_path, "def test_nobody_knows(): pass\n", minutes=20)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "test_nobody_knows: its seconds are missing in time_budgets.json" in done.stderr


def test_contributing_says_what_each_part_may_take() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    rows = dict(re.findall(r"^\| `?([\w ]+?)`? \| ([\d.]+) min", text, re.MULTILINE))
    parts = {"make test": BUDGETS.make_test, **BUDGETS.suites}
    assert {name: rows.get(name) for name in parts} == {name: str(math.ceil(s / 60)) for name, s in parts.items()}
    assert rows["all of CI"] == f"{ci_plan.GOOD_MINUTES:.0f}"
    assert f"{ci_plan.LIMIT} ({ci_plan.LIMIT_MINUTES:.0f}" in text
