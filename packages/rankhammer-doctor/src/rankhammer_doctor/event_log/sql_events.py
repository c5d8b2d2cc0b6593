"""Takes the events of SQL: executions, their plans, and the values of their metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer_doctor.event_log.fields import number_of, output_of, pairs_of, whole_or_none
from rankhammer_doctor.event_log.sql import PlanKeeper, SqlExecution, read_plan

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer_doctor.event_log.run import Run

_DETAILS, _FAILURE = 1500, 6000


class SqlReader:
    """Adds executions to a run.

    Args:
        run: Is changed.
        on_time: Called with each time that an event names.
    """

    def __init__(self, run: Run, on_time: Callable[[int | None], None]) -> None:
        self._run, self._on_time = run, on_time
        self._plans = PlanKeeper()

    def task_values(self, execution_id: int | None, accumulables: list[dict[str, Any]]) -> None:
        """Take the values that metrics have after a stage; the plan that names them may come later."""
        execution = None if execution_id is None else self._run.executions.get(execution_id)
        if execution is None:
            return
        for one in accumulables:
            if one.get("Metadata", "sql") == "sql":
                execution.values[one["ID"]] = number_of(one.get("Value"))

    def start(self, event: dict[str, Any]) -> None:
        """Take SQLExecutionStart."""
        execution = SqlExecution(
            int(event["executionId"]),
            root_id=whole_or_none(event.get("rootExecutionId")),
            description=str(event.get("description", ""))[:_DETAILS],
            started_ms=int(event["time"]),
        )
        self._run.executions[execution.execution_id] = execution
        self._take_plan(execution, event)
        self._run.conf |= {
            f"sql.modified.{key}": value for key, value in pairs_of(event.get("modifiedConfigs")).items()
        }
        self._on_time(execution.started_ms)

    def update(self, event: dict[str, Any]) -> None:
        """Take SQLAdaptiveExecutionUpdate: another plan."""
        execution = self._run.executions.get(int(event["executionId"]))
        if execution is not None:
            self._take_plan(execution, event)

    def _take_plan(self, execution: SqlExecution, event: dict[str, Any]) -> None:
        info = event.get("sparkPlanInfo")
        if not info:
            return
        execution.plan = read_plan(info)
        execution.output = execution.output or output_of(event)

    def end(self, event: dict[str, Any]) -> None:
        """Take SQLExecutionEnd."""
        execution = self._run.executions.get(int(event["executionId"]))
        if execution is None:
            return
        execution.ended_ms = int(event["time"])
        execution.error = str(event.get("errorMessage") or "")[:_FAILURE]
        self._on_time(execution.ended_ms)
        execution.note_write()
        self._plans.ended(self._run.executions, execution)

    def driver_values(self, event: dict[str, Any]) -> None:
        """Take DriverAccumUpdates."""
        execution = self._run.executions.get(int(event["executionId"]))
        if execution is not None:
            for accumulator, value in event.get("accumUpdates") or ():
                execution.driver_values[accumulator] = number_of(value)
