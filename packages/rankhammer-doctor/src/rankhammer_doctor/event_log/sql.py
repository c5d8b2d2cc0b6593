"""Plans of SQL: operators with their metrics."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Any

WRITE = "InsertIntoHadoopFsRelationCommand"
_KEPT_PLANS = 200
"""Executions whose plan stays: the longest ones."""
_MAX_OPERATORS = 5000
_SHOWN = 300


@dataclass(slots=True)
class Operator:
    """A node of a plan.

    Args:
        name: Such as SortMergeJoin.
        text: Its description, cut.
        metrics: Name to the accumulator's id.
        children: Places of its inputs in the plan.
    """

    name: str
    text: str
    metrics: dict[str, int]
    children: list[int] = field(default_factory=list)


@dataclass(slots=True)
class SqlExecution:
    """One query or write.

    Args:
        execution_id: Its number.
        root_id: Number of the execution that it is part of.
        description: What the web UI shows of it.
        started_ms: Milliseconds since the epoch.
        ended_ms: Likewise; None while it runs.
        error: Why it failed.
        plan: Its operators, root first; empty where it was not kept.
        output: Path that it writes to; empty for a query.
        driver_values: Metrics that the driver has reported, by accumulator.
        values: Metrics of tasks, by accumulator.
        jobs: Ids.
        files_written: By a write; None where nobody counted.
        bytes_written: Likewise.
        commit_ms: What the driver took to commit its job; None before Spark 3.3.
    """

    execution_id: int
    root_id: int | None = None
    description: str = ""
    started_ms: int | None = None
    ended_ms: int | None = None
    error: str = ""
    plan: list[Operator] = field(default_factory=list)
    output: str = ""
    driver_values: dict[int, int] = field(default_factory=dict)
    values: dict[int, int] = field(default_factory=dict)
    jobs: list[int] = field(default_factory=list)
    files_written: int | None = None
    bytes_written: int | None = None
    commit_ms: int | None = None

    @property
    def duration_ms(self) -> int:
        """From start to end; 0 while it runs."""
        return max(0, self.ended_ms - self.started_ms) if self.ended_ms and self.started_ms else 0

    def metric(self, operator: Operator, name: str) -> int | None:
        """Return a metric's sum over all tasks and the driver, or None where nobody reported it."""
        accumulator = operator.metrics.get(name)
        if accumulator is None:
            return None
        found = [values[accumulator] for values in (self.values, self.driver_values) if accumulator in values]
        return sum(found) if found else None

    def note_write(self) -> None:
        """Keep what was written, before the plan is dropped."""
        for operator in self.plan:
            if WRITE in operator.name:
                self.files_written = self._first(operator, "number of written files")
                self.bytes_written = self._first(operator, "written output", "bytes of written output")
                self.commit_ms = self._first(operator, "job commit time")
                return

    def _first(self, operator: Operator, *names: str) -> int | None:
        return next((value for name in names if (value := self.metric(operator, name)) is not None), None)

    def rows_out(self, place: int) -> int | None:
        """Return the rows that an operator has put out; one that does not count passes on what it got."""
        for _ in range(_MAX_OPERATORS):
            operator = self.plan[place]
            rows = self.metric(operator, "number of output rows")
            if rows is not None:
                return rows
            if len(operator.children) != 1 or operator.name in ("Filter", "Expand", "Generate"):
                return None
            place = operator.children[0]
        return None

    def rows_in(self, operator: Operator) -> list[int | None]:
        """Return what each of an operator's inputs has put out."""
        return [self.rows_out(child) for child in operator.children]


def read_plan(info: dict[str, Any]) -> list[Operator]:
    """Flatten a plan.

    Args:
        info: `sparkPlanInfo` of an event.
    """
    plan: list[Operator] = []
    todo: list[tuple[dict[str, Any], int | None]] = [(info, None)]
    while todo and len(plan) < _MAX_OPERATORS:
        node, parent = todo.pop()
        metrics = {str(one["name"]): int(one["accumulatorId"]) for one in node.get("metrics") or ()}
        plan.append(
            Operator(str(node.get("nodeName", "")).strip(), str(node.get("simpleString", ""))[:_SHOWN], metrics)
        )
        place = len(plan) - 1
        if parent is not None:
            plan[parent].children.append(place)
        todo += [(child, place) for child in reversed(node.get("children") or [])]
    return plan


class PlanKeeper:
    """Keeps the plans of the longest executions, and drops the others."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, int]] = []

    def ended(self, executions: dict[int, SqlExecution], execution: SqlExecution) -> None:
        """Take note that one has ended."""
        heapq.heappush(self._kept, (execution.duration_ms, execution.execution_id))
        if len(self._kept) > _KEPT_PLANS:
            _, shortest = heapq.heappop(self._kept)
            dropped = executions.get(shortest)
            if dropped is not None:
                dropped.plan, dropped.values, dropped.driver_values = [], {}, {}
