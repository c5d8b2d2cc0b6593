"""A plan as lines for a person."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from rankhammer.planning import Plan, State


def lines(plan: Plan) -> Iterator[str]:
    """Yield a plan's lines."""
    yield f"Environment: {plan.environment}"
    if plan.run:
        yield f"Run:         {plan.run.removeprefix('Run ')}"
    yield f"Corpora:     {', '.join(plan.corpora) if plan.corpora else 'all'}"
    yield "Stages:"
    yield from _aligned((stage, ", ".join(nodes)) for stage, nodes in plan.stages.items())
    for title, states in (("Reads:", plan.inputs), ("Makes, and what is there now:", plan.outputs)):
        yield title
        yield from _aligned(_state(state) for state in states if not _is_report(state))
        yield from _reports([state.state for state in states if _is_report(state)])
    yield "Asks for:"
    yield from _asked(plan.resources)
    if plan.cost:
        yield from _cost(plan.cost)


def _is_report(state: State) -> bool:
    return PurePosixPath(state.path).suffix in (".json", ".csv")


def _reports(states: Sequence[str]) -> Iterator[str]:
    """Yield one line for all reports: they are many, and small."""
    if states:
        counts = (f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        yield f"  reports: {', '.join(counts)}"


def _state(state: State) -> tuple[str, ...]:
    why = f" ({state.why} changed)" if state.why else ""
    return state.name, state.state + why, state.path


def _asked(resources: Mapping[str, Any]) -> Iterator[str]:
    yield f"  master {resources['master']}"
    if "profile" not in resources:
        return
    yield (
        f"  profile {resources['profile']} in queue {resources['queue']}: at most {resources['executors']} executors "
        f"of {resources['executor_cores']} cores and {resources['executor_mb']} MB, {resources['slots']} tasks at once"
    )
    yield from (f"    {line}" for line in resources["arithmetic"])
    own = resources["set_in_spark_yml"]
    if own:
        yield "  over that, spark.yml says: " + ", ".join(f"{key}={value}" for key, value in own.items())


def _cost(cost: Mapping[str, Any]) -> Iterator[str]:
    yield f"Costs about {cost['core_hours']:.3g} core-hours, {cost['seconds']:.0f} s, going by the {cost['from']}:"
    rows = ((stage, facts, facts["rows"]) for stage, facts in cost["stages"].items())
    yield from _aligned(
        (stage, f"{facts['core_hours']:.3g} core-hours", f"{facts['seconds']:.0f} s", f"rows x {growth:g}")
        for stage, facts, growth in rows
    )
    if cost["unknown"]:
        yield f"  not known: {', '.join(cost['unknown'])}"


def _aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    cells = list(rows)
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
