"""How long a run would take with other numbers of executors: critical path, skew kept, cost in core-hours.

References:
    R. L. Graham, "Bounds on Multiprocessing Timing Anomalies", SIAM J. Appl. Math. 17, 1969: list scheduling.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer_doctor.event_log.run import SHARES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rankhammer_doctor.event_log.run import Distribution, Job, Run, Stage

_SIMULATED = 2000
"""Tasks of a stage that are scheduled one by one; of more, a sample stands for all."""
_SMALL_MS = 2000
"""Task time of a stage below which a formula takes the place of scheduling."""
_GOLDEN = 0.6180339887498949
_FACTORS = (0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4)
_NEAR_BEST = 1.1
_ENDLESS = 1_000_000_000
_MS_PER_HOUR = 3_600_000
_MIN_CALIBRATION, _MAX_CALIBRATION = 0.5, 3.0


@dataclass(frozen=True)
class Estimate:
    """A run with another cluster.

    Args:
        executors: How many.
        cores: Of each.
        wall_ms: Estimated wall time.
        core_hours: What it holds meanwhile.
        is_observed: Whether it is the size that the run had.
    """

    executors: int
    cores: int
    wall_ms: float
    core_hours: float
    is_observed: bool


@dataclass(frozen=True)
class WhatIf:
    """Estimates by size.

    Args:
        estimates: Smallest first.
        observed_ms: Wall time of the run.
        driver_ms: Part of it in which no job ran: no executor makes it shorter.
        critical_ms: Shortest wall time that any number of executors reaches.
        smallest: Smallest size whose wall time is within 10 % of the best estimate.
        calibration: Measured time of jobs by the model's, at the size that the run had.
    """

    estimates: tuple[Estimate, ...]
    observed_ms: float
    driver_ms: float
    critical_ms: float
    smallest: Estimate
    calibration: float


@dataclass(frozen=True)
class _Work:
    """Jobs that overlap, and the stages of each."""

    begin_ms: int
    end_ms: int
    jobs: tuple[tuple[Stage, ...], ...]


def what_if(run: Run, *, cores: int | None = None) -> WhatIf | None:
    """Estimate wall times by number of executors.

    Args:
        run: A run of which jobs have ended.
        cores: Cores of an executor; None for those that it had.

    Returns:
        None where there is nothing to go by: no job with tasks, or no executor with cores.
    """
    groups = _groups(run)
    had = max((one.cores for one in run.workers), default=0)
    if not groups or had < 1:
        return None
    cpus = max(1, next((stage.task_cpus for stage in run.stages.values()), 1))
    busy_ms = sum(group.end_ms - group.begin_ms for group in groups)
    driver_ms = max(0.0, run.duration_ms - busy_ms)
    executors, slots = _observed(run, groups, had, cpus)
    factor = busy_ms / max(1.0, sum(_group_ms(group, slots) for group in groups))
    factor = min(_MAX_CALIBRATION, max(_MIN_CALIBRATION, factor))
    sizes = _sizes(executors, cores or had, is_local=run.is_local)
    found = [_estimate(groups, size, cpus, driver_ms, factor) for size in sizes]
    same = (executors, had) if not run.is_local else (1, had)
    estimates = tuple(
        Estimate(*size, wall, size[0] * size[1] * wall / _MS_PER_HOUR, size == same)
        for size, wall in zip(sizes, found, strict=True)
    )
    best = min(estimate.wall_ms for estimate in estimates)
    smallest = next(estimate for estimate in estimates if estimate.wall_ms <= _NEAR_BEST * best)
    endless = driver_ms + sum(_group_ms(group, _ENDLESS) for group in groups)
    return WhatIf(estimates, run.duration_ms, driver_ms, endless, smallest, factor)


def _estimate(groups: Sequence[_Work], size: tuple[int, int], cpus: int, driver_ms: float, factor: float) -> float:
    slots = max(1, size[0] * max(1, size[1] // cpus))
    # Whatever was measured: no path through the stages becomes shorter than its longest tasks.
    return driver_ms + sum(max(_group_ms(group, _ENDLESS), factor * _group_ms(group, slots)) for group in groups)


def _sizes(executors: int, cores: int, *, is_local: bool) -> list[tuple[int, int]]:
    """Return (executors, cores of each) to try; in local mode there is one process, and cores change."""
    base = cores if is_local else executors
    numbers = sorted({max(1, round(base * factor)) for factor in _FACTORS} | {1, base})
    return [(1, number) if is_local else (number, cores) for number in numbers]


def _groups(run: Run) -> list[_Work]:
    """Return the jobs that overlap in time, in their order."""
    jobs = [job for job in run.jobs.values() if job.submitted_ms and _end_of(run, job)]
    jobs.sort(key=lambda job: (job.submitted_ms or 0, job.job_id))
    groups: list[_Work] = []
    for job, stages in zip(jobs, _stages_by_job(run, jobs), strict=True):
        begin, end = job.submitted_ms or 0, _end_of(run, job)
        if not stages:
            continue
        if groups and begin < groups[-1].end_ms:
            last = groups.pop()
            groups.append(_Work(last.begin_ms, max(last.end_ms, end), (*last.jobs, stages)))
        else:
            groups.append(_Work(begin, end, (stages,)))
    return groups


def _end_of(run: Run, job: Job) -> int:
    if job.completed_ms:
        return job.completed_ms
    ends = [run.stages[(stage_id, 0)].last_finish_ms or 0 for stage_id in job.stage_ids if (stage_id, 0) in run.stages]
    return max(ends, default=0)


def _stages_by_job(run: Run, jobs: Iterable[Job]) -> list[tuple[Stage, ...]]:
    """Give each stage to the first job during which it ran; later ones reuse what it left."""
    by_id: dict[int, list[Stage]] = {}
    for stage in run.stages.values():
        if stage.n_complete:
            by_id.setdefault(stage.stage_id, []).append(stage)
    found, taken = [], set[tuple[int, int]]()
    for job in jobs:
        own = [stage for stage_id in job.stage_ids for stage in by_id.get(stage_id, []) if stage.key not in taken]
        own = [stage for stage in own if (stage.first_launch_ms or 0) >= (job.submitted_ms or 0) - 1000]
        taken |= {stage.key for stage in own}
        found.append(tuple(own))
    return found


def _group_ms(group: _Work, slots: int) -> float:
    """Return the time of jobs that overlap: the longest of them, or all their work over the slots."""
    longest = max(_job_ms(stages, slots) for stages in group.jobs)
    work = sum(_work_ms(stage) for stages in group.jobs for stage in stages)
    # Jobs of a group that came one after the other in pairs cannot be faster than their chain.
    return max(longest, work / slots) if len(group.jobs) > 1 else longest


def _job_ms(stages: Sequence[Stage], slots: int) -> float:
    """Return the longest path through a job's stages, or all their work over the slots."""
    ends: dict[int, float] = {}
    for stage in sorted(stages, key=lambda one: one.key):
        begin = max((ends.get(parent, 0.0) for parent in stage.parents), default=0.0)
        ends[stage.stage_id] = begin + ends.get(stage.stage_id, 0.0) + stage_ms(stage, slots)
    work = sum(_work_ms(stage) for stage in stages)
    return max([work / slots, *ends.values()])


def _work_ms(stage: Stage) -> float:
    return stage.distribution("duration_ms").total


def stage_ms(stage: Stage, slots: int) -> float:
    """Return how long a stage's tasks take on so many slots, by list scheduling; its skew stays.

    Args:
        stage: One whose tasks have ended.
        slots: Tasks at once.
    """
    times = stage.distribution("duration_ms")
    if not times.count:
        return 0.0
    if slots >= times.count:
        return times.maximum
    if times.total < _SMALL_MS:
        # One of thousands of small stages: no simulation for it.
        return max(times.maximum, times.total / slots + 0.5 * (times.maximum - times.total / times.count))
    # A sample with as many tasks for each lane as there are for each slot: the waves stay.
    lanes = max(1, min(slots, int(slots * _SIMULATED / times.count)))
    if lanes == 1:
        rest = 0.5 * (times.maximum - times.total / times.count) if slots > 1 else 0.0
        return max(times.maximum, times.total / slots + rest)
    ends = [0.0] * lanes
    for task in _durations(times, max(lanes, round(times.count * lanes / slots))):
        heapq.heapreplace(ends, ends[0] + task)
    return max(times.maximum, *ends)


def _durations(times: Distribution, n: int) -> list[float]:
    """Make task times again from quantiles: their sum and their maximum are kept, their order is mixed."""
    values = [_interpolated(times.values, (place + 0.5) / n) for place in range(n)]
    values[-1] = times.maximum
    target = times.total * n / times.count
    rest = sum(values[:-1])
    factor = max(0.0, (target - values[-1]) / rest) if rest else 0.0
    values = [min(value * factor, times.maximum) for value in values[:-1]] + values[-1:]
    return [value for _, value in sorted((place * _GOLDEN % 1.0, value) for place, value in enumerate(values))]


def _interpolated(values: Sequence[float], share: float) -> float:
    step = share * (len(SHARES) - 1)
    low = min(int(step), len(values) - 2)
    return values[low] + (step - low) * (values[low + 1] - values[low])


def _observed(run: Run, groups: Sequence[_Work], cores: int, cpus: int) -> tuple[int, int]:
    """Return the (executors, slots) that a run had on average while its jobs ran."""
    held = busy = 0
    for group in groups:
        busy += group.end_ms - group.begin_ms
        for one in run.workers:
            begin = max(group.begin_ms, one.added_ms or group.begin_ms)
            end = min(group.end_ms, one.removed_ms or group.end_ms)
            held += max(0, end - begin) * one.cores
    average = held / busy if busy else cores
    executors = max(1, round(average / cores))
    return executors, max(1, executors * max(1, cores // cpus))
