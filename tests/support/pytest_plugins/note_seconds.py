"""`--note-seconds` writes what a run took to dev/time_budgets.json, as a machine of reference would have taken it.

`make test ARGS=--note-seconds` notes the tests, `make chaos ARGS=--note-seconds` each fault that passed and what faults
share. To be done on a machine that does nothing else.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

import ci_plan
import machine_speed
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_plugins.slowest import Slowest, Spent


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--note-seconds", action="store_true", help="write what this run takes to dev/time_budgets.json")


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not config.option.note_seconds:
        return
    measured: Slowest = config.pluginmanager.getplugin("rankhammer-slowest")
    slow = machine_speed.slowdown(machine_speed.N)
    known = json.loads(ci_plan.BUDGETS.read_text())
    known |= noted_faults(known, measured.spent, _passed(terminalreporter), slow)
    if measured.is_whole:
        known["make_test"] = round((time.monotonic() - measured.began - sum(measured.by_suite().values())) / slow)
    ci_plan.BUDGETS.write_text(f"{json.dumps(known, indent=2)}\n")
    terminalreporter.write_line(f"{ci_plan.BUDGETS.name} holds what this run took, on a machine of speed {slow:.2f}")


def noted_faults(
    known: Mapping[str, dict[str, float]], spent: Mapping[str, Spent], passed: Iterable[str], slow: float
) -> dict[str, dict[str, float]]:
    """Return what faults, and what they share, took on a machine of reference; of several cases the longest counts.

    Args:
        known: The budgets so far.
        spent: Of each test that was run, by its id.
        passed: Ids of those that passed.
        slow: How many times longer than there work took.
    """
    shared, faults = dict(known["shared"]), dict(known["faults"])
    names = {test: test.rpartition("::")[2].partition("[")[0] for test in passed}
    took: dict[str, float] = {}
    for test, name in names.items():
        if name in faults:
            parts = {part: seconds for part, seconds in spent[test].shared.items() if part in shared}
            shared |= {part: round(seconds / slow) for part, seconds in parts.items()}
            took[name] = max(took.get(name, 0.0), (spent[test].total - sum(parts.values())) / slow)
    return {"shared": shared, "faults": faults | {name: max(1, round(seconds)) for name, seconds in took.items()}}


def _passed(reporter: pytest.TerminalReporter) -> list[str]:
    return [report.nodeid for report in reporter.stats.get("passed", ()) if report.when == "call"]
