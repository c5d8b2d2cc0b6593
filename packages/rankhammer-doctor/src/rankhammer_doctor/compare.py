"""Two runs, or one against the last ones: what became slower, by stage, and why."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from rankhammer_doctor.dynamic_rules.context import max_slots
from rankhammer_doctor.findings import Finding, Severity
from rankhammer_doctor.units import format_bytes, format_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rankhammer_doctor.event_log.run import Run, Stage

_SLOWER = 1.25
_MIN_MS = 10_000
_MIN_SHARE = 0.05
_MORE_DATA = 1.2


@dataclass(frozen=True)
class WorkFacts:
    """All stages with one label, added up.

    Args:
        wall_ms: Time of the stages.
        run_ms: Of their tasks.
        gc_ms: Of garbage collection.
        n_bytes: Read.
        rows: Read.
        spilled: To disk.
        tasks: That succeeded.
        failed: Tasks that failed.
        slowest_ms: The slowest task.
        median_ms: The largest median of a stage's tasks.
    """

    wall_ms: float = 0
    run_ms: float = 0
    gc_ms: float = 0
    n_bytes: float = 0
    rows: float = 0
    spilled: float = 0
    tasks: float = 0
    failed: float = 0
    slowest_ms: float = 0
    median_ms: float = 0


@dataclass(frozen=True)
class ComparedWork:
    """One label in both runs; times in milliseconds."""

    label: str
    before_ms: float
    after_ms: float
    cause: str

    @property
    def change_ms(self) -> float:
        """How much longer it takes; negative where it is faster."""
        return self.after_ms - self.before_ms


@dataclass(frozen=True)
class Comparison:
    """A run against an earlier one.

    Args:
        before_ms: Wall time; the median of several.
        after_ms: Likewise.
        rows: By label, the largest change first.
        conf: Settings that differ: key, before, after.
    """

    before_ms: float
    after_ms: float
    rows: tuple[ComparedWork, ...]
    conf: tuple[tuple[str, str, str], ...]


_OF_ONE_RUN = ("spark.app.id", "spark.app.startTime", "spark.app.submitTime", "spark.driver.port", "spark.app.name")


def compare(before: Sequence[Run], after: Run) -> Comparison:
    """Compare a run with earlier ones; of several the median counts.

    Args:
        before: At least one run.
        after: The run that is looked at.
    """
    earlier, now = [_by_label(run) for run in before], _by_label(after)
    labels = dict.fromkeys([*now, *(label for run in earlier for label in run)])
    slots = median(max_slots(run) for run in before), max_slots(after)
    rows = [_row(label, [run[label] for run in earlier if label in run], now.get(label), slots) for label in labels]
    rows.sort(key=lambda row: (-abs(row.change_ms), row.label))
    return Comparison(
        median(run.duration_ms for run in before), after.duration_ms, tuple(rows), _changed_conf(before[-1], after)
    )


def slower(found: Comparison) -> Iterator[Finding]:
    """Yield a finding for each part that has become clearly slower: C1."""
    for row in found.rows:
        is_much = row.change_ms >= max(_MIN_MS, _MIN_SHARE * found.before_ms)
        if not row.before_ms or not is_much or row.after_ms < _SLOWER * row.before_ms:
            continue
        yield Finding(
            rule="C1",
            severity=Severity.WARNING,
            summary=f"{format_ms(row.change_ms)} slower ({row.after_ms / row.before_ms:.1f} times): {row.cause}",
            place=row.label,
            evidence=(f"before {format_ms(row.before_ms)}, now {format_ms(row.after_ms)}",),
            remedies=("`log` on the newer run says more about these stages",),
            facts=(("before_ms", row.before_ms), ("after_ms", row.after_ms)),
        )


def _by_label(run: Run) -> dict[str, WorkFacts]:
    found: dict[str, list[Stage]] = {}
    for stage in run.stages.values():
        if stage.n_complete or stage.n_failed:
            found.setdefault(stage.label or f"stage {stage.stage_id}", []).append(stage)
    return {label: _added(stages) for label, stages in found.items()}


def _added(stages: Sequence[Stage]) -> WorkFacts:
    times = [stage.distribution("duration_ms") for stage in stages]
    return WorkFacts(
        wall_ms=sum(stage.duration_ms for stage in stages),
        run_ms=sum(stage.totals.run_ms for stage in stages),
        gc_ms=sum(stage.totals.gc_ms for stage in stages),
        n_bytes=sum(stage.bytes_in for stage in stages),
        rows=sum(stage.rows_in for stage in stages),
        spilled=sum(stage.totals.disk_spilled for stage in stages),
        tasks=sum(stage.n_complete for stage in stages),
        failed=sum(stage.n_failed for stage in stages),
        slowest_ms=max(one.maximum for one in times),
        median_ms=max(one.median for one in times),
    )


def _row(label: str, before: Sequence[WorkFacts], after: WorkFacts | None, slots: tuple[float, float]) -> ComparedWork:
    if not before:
        return ComparedWork(label, 0, after.wall_ms if after else 0, "only in the newer run")
    middle = WorkFacts(**{name: median(getattr(one, name) for one in before) for name in WorkFacts.__annotations__})
    if after is None:
        return ComparedWork(label, middle.wall_ms, 0, "only in the earlier run")
    return ComparedWork(label, middle.wall_ms, after.wall_ms, _cause(middle, after, slots))


def _cause(old: WorkFacts, new: WorkFacts, slots: tuple[float, float]) -> str:
    """Say what explains a change of time, the likeliest first."""
    if abs(new.wall_ms - old.wall_ms) < _MIN_SHARE * max(old.wall_ms, 1):
        return "no change"
    if new.wall_ms < old.wall_ms:
        return "less data" if _grew(new.n_bytes, old.n_bytes) or _grew(new.rows, old.rows) else "faster"
    causes = [
        (f"more data ({format_bytes(old.n_bytes)} -> {format_bytes(new.n_bytes)})", _grew(old.n_bytes, new.n_bytes)),
        (f"more rows ({old.rows:,.0f} -> {new.rows:,.0f})", _grew(old.rows, new.rows)),
        (f"failed tasks ({old.failed:.0f} -> {new.failed:.0f})", new.failed > old.failed + 0.05 * new.tasks),
        (f"spill ({format_bytes(old.spilled)} -> {format_bytes(new.spilled)})", new.spilled > old.spilled + (64 << 20)),
        (
            f"garbage collection ({format_ms(old.gc_ms)} -> {format_ms(new.gc_ms)})",
            _explains(new.gc_ms - old.gc_ms, old, new),
        ),
        (
            "skew: one slow task",
            new.slowest_ms - new.median_ms > 0.5 * new.wall_ms and _grew(old.slowest_ms, new.slowest_ms),
        ),
        (f"fewer slots ({slots[0]:.0f} -> {slots[1]})", slots[1] < slots[0] and not _grew(old.run_ms, new.run_ms)),
        ("waiting: tasks take no longer", not _grew(old.run_ms, new.run_ms)),
    ]
    return next(
        (said for said, holds in causes if holds), "tasks take longer for the same data: slower nodes, or other code"
    )


def _grew(old: float, new: float) -> bool:
    return new > _MORE_DATA * old and new > 0


def _explains(part: float, old: WorkFacts, new: WorkFacts) -> bool:
    return part > 0.5 * max(1.0, new.run_ms - old.run_ms) and new.run_ms > old.run_ms


def _changed_conf(before: Run, after: Run) -> tuple[tuple[str, str, str], ...]:
    keys = sorted(key for key in {*before.conf, *after.conf} if key not in _OF_ONE_RUN and key.startswith("spark."))
    pairs = ((key, before.conf.get(key, ""), after.conf.get(key, "")) for key in keys)
    return tuple((key, old, new) for key, old, new in pairs if old != new)
