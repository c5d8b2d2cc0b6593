"""`make chaos ARGS=--in-time`, as in CI: only faults that end in time are begun, those first whose turn it is.

Those left out are named. While they run, the clock is looked at again: a machine that turns out to be slower than it
was measured begins fewer of them. A run that has no time for any ends green, and says so.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

import ci_plan
import pytest

REPOSITORY = Path(__file__).parents[3]
LEFT_OUT = "left out for want of time"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--in-time", action="store_true", help="begin only those faults that end before CI has to")


def pytest_configure(config: pytest.Config) -> None:
    if config.option.in_time:
        clock = ci_plan.read_clock(os.environ, time.time())
        config.pluginmanager.register(InTime(clock), "rankhammer-in-time")


class InTime:
    """Chooses, watches the clock, and says what it left out."""

    def __init__(self, clock: ci_plan.Clock) -> None:
        self.clock, self.budgets = clock, ci_plan.read_budgets()
        self.slowdown = clock.slowdown
        self.began = time.time()
        self.to_do: list[ci_plan.Fault] = []
        self.done: list[ci_plan.Fault] = []
        self.left_out: list[str] = []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Keep what fits; those that are kept stay in their order, for which they were written."""
        turn = ci_plan.in_turn(map(self.fault, items), ci_plan.commit_number(REPOSITORY), ci_plan.recall())
        self.to_do = self.fitting(turn)
        chosen = {fault.id for fault in self.to_do}
        left = [item for item in items if item.nodeid not in chosen]
        items[:] = [item for item in items if item.nodeid in chosen]
        self.left_out += [item.nodeid for item in left]
        config.hook.pytest_deselected(items=left)

    def pytest_report_collectionfinish(self) -> list[str]:
        minutes = (self.clock.end - time.time()) / 60
        return [f"{minutes:.0f} min are left, on a machine {self.slowdown:.2f} times as slow as that of reference"]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Leave a fault out where time has become short, and others come before it."""
        fault = self.fault(item)
        fits = fault in self.fitting(self.to_do)
        self.to_do.remove(fault)
        if not fits:
            self.left_out.append(fault.id)
            pytest.skip(LEFT_OUT)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> object:
        answer = yield
        if item.nodeid not in self.left_out:
            self.note(self.fault(item), time.time())
        return answer

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED and self.left_out:
            session.exitstatus = pytest.ExitCode.OK

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self.left_out:
            return
        terminalreporter.write_sep("=", f"{len(self.left_out)} faults {LEFT_OUT}; the next commits begin with them")
        for name in sorted(self.left_out):
            terminalreporter.write_line(name)
        if not self.done:
            terminalreporter.write_line("No fault was run.")

    def fault(self, item: pytest.Item) -> ci_plan.Fault:
        """Return what is known of a test."""
        seconds = self.budgets.faults.get(item.originalname)
        if seconds is None:
            raise pytest.UsageError(f"{item.nodeid}: its seconds are missing in {ci_plan.BUDGETS.name}")
        return ci_plan.Fault(item.nodeid, seconds, frozenset(item.fixturenames) & frozenset(self.budgets.shared))

    def fitting(self, turn: list[ci_plan.Fault]) -> list[ci_plan.Fault]:
        """Return those that end in time, as fast as this machine has been so far."""
        ready = frozenset[str]().union(*(fault.shared for fault in self.done))
        return ci_plan.fitting(turn, self.clock.end - time.time(), self.slowdown, self.budgets, ready)

    def note(self, fault: ci_plan.Fault, now: float) -> None:
        """Remember that a fault was run, and learn from what all of them took so far."""
        self.done.append(fault)
        planned = ci_plan.cost(self.done, self.budgets) / ci_plan.SPREAD - self.budgets.end
        self.slowdown = max(self.clock.slowdown, (now - self.began) / planned)
        ci_plan.remember(fault.id, now)
