"""What a run of tests took: the slowest 20 with their share, and each suite that has a budget of its own."""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import ci_plan
import machine_speed
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

N_SHOWN = 20
LEAST_S = 1.0
"""Tests below this are nobody's concern."""

SUITE, SET_UP = "suite", "set-up that others use"
"""Names of what a test's report tells beside its outcome."""

SHARED = ("session", "package", "module", "class")


@dataclass
class Spent:
    """Seconds of one test: all of it, and what of it went into fixtures that others use, too."""

    total: float = 0.0
    shared: dict[str, float] = field(default_factory=dict)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "budget(name): the suite, as in dev/time_budgets.json, whose time it counts as")
    config.pluginmanager.register(Slowest(config), "rankhammer-slowest")


class Slowest:
    """Listens to a run."""

    def __init__(self, config: pytest.Config) -> None:
        self.began = time.monotonic()
        self.spent: dict[str, Spent] = defaultdict(Spent)
        self.suites: dict[str, str] = {}
        self.is_whole = config.args == config.getini("testpaths") and not config.option.keyword

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        budgets = ci_plan.read_budgets().suites
        for item in items:
            mark = item.get_closest_marker("budget")
            if mark and mark.args[0] not in budgets:
                raise pytest.UsageError(f"{item.nodeid}: no budget {mark.args[0]!r} in {ci_plan.BUDGETS.name}")
            if mark:
                item.user_properties.append((SUITE, mark.args[0]))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef, request: pytest.FixtureRequest) -> Iterator[None]:
        began = time.monotonic()
        try:
            return (yield)
        finally:
            if fixturedef.scope in SHARED:
                taken = (fixturedef.argname, time.monotonic() - began)
                # With the test's report this comes to the process that sums up, where several share a run.
                request._pyfuncitem.user_properties.append((SET_UP, taken))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        spent = self.spent[report.nodeid]
        spent.total += report.duration
        for name, value in report.user_properties:
            if name == SUITE:
                self.suites[report.nodeid] = value
            elif name == SET_UP:
                spent.shared[value[0]] = value[1]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        whole = time.monotonic() - self.began
        rows = slowest(self.spent, whole)
        if rows:
            terminalreporter.write_sep("=", f"slowest {len(rows)} of {len(self.spent)} tests, in {whole:.0f} s of all")
        for row in rows:
            terminalreporter.write_line(row)
        for row in self.beside_budgets(whole):
            terminalreporter.write_line(row)

    def beside_budgets(self, whole: float) -> list[str]:
        """Say which suite takes how much of its budget, and whether the rest is within its own."""
        if not (self.suites or self.is_whole):
            return []
        budgets, slow = ci_plan.read_budgets(), machine_speed.slowdown()
        took = self.by_suite()
        rows = [
            beside_budget(f"suite {suite}", seconds, budgets.suites[suite] * slow) for suite, seconds in took.items()
        ]
        if self.is_whole:
            rest = whole - sum(took.values())
            rows.append(beside_budget("make test", rest, budgets.make_test * ci_plan.MAY_GROW * slow))
        return rows

    def by_suite(self) -> dict[str, float]:
        """Return the seconds of each suite that has a budget of its own."""
        took: dict[str, float] = defaultdict(float)
        for test, suite in self.suites.items():
            took[suite] += self.spent[test].total
        return dict(took)


def slowest(spent: dict[str, Spent], whole: float, n: int = N_SHOWN) -> list[str]:
    """Return a line for each of the slowest tests, the slowest first: seconds, share of the whole run, name."""
    order = sorted(spent, key=lambda test: -spent[test].total)
    return [_row(test, spent[test], whole) for test in order[:n] if spent[test].total >= LEAST_S]


def _row(test: str, spent: Spent, whole: float) -> str:
    shared = [f"{name} {seconds:.1f} s" for name, seconds in spent.shared.items() if seconds >= LEAST_S]
    paid = f"  (set-up that others use, too: {', '.join(shared)})" if shared else ""
    return f"{spent.total:7.1f} s {spent.total / whole:6.1%}  {test}{paid}"


def beside_budget(what: str, took: float, budget: float) -> str:
    """Say what a part took of its budget."""
    verdict = "over its budget" if took > budget else "within its budget"
    return f"{what}: {took:.0f} s, {verdict} of {budget:.0f} s"
