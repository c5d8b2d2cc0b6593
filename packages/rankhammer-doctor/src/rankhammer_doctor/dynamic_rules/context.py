"""What the dynamic rules look at: the run, what was said in it, thresholds, and the executors' sizes."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from rankhammer_doctor import memory
from rankhammer_doctor.symptoms import Symptoms, is_benign_removal, is_cancellation, is_preemption

if TYPE_CHECKING:
    from rankhammer_doctor.event_log.run import Executor, Job, Run, Stage
    from rankhammer_doctor.memory import ContainerMemory
    from rankhammer_doctor.text_logs import TextLogs
    from rankhammer_doctor.thresholds import Thresholds

_END_SLACK_MS = 2000


@dataclass
class RunContext:
    """Everything that a rule may ask.

    Args:
        run: The event log.
        thresholds: Rule to names to numbers.
        logs: Of drivers and executors, where somebody gave them.
        said: Sentences of the event log that are known.
    """

    run: Run
    thresholds: Thresholds
    logs: TextLogs | None = None
    said: Symptoms = field(default_factory=Symptoms)

    def __post_init__(self) -> None:
        collect(self)

    @property
    def conf(self) -> dict[str, str]:
        """The run's Spark settings."""
        return self.run.conf

    @property
    def container(self) -> ContainerMemory:
        """Memory of an executor's container; in local mode the driver's, which runs the tasks."""
        return memory.of_driver(self.conf) if self.run.is_local else memory.of_executor(self.conf)

    @property
    def who(self) -> str:
        """Whose memory counts: executor, or driver in local mode."""
        return "driver" if self.run.is_local else "executor"

    @property
    def executed(self) -> list[Stage]:
        """Stages of which tasks have succeeded."""
        return [stage for stage in self.run.stages.values() if stage.n_complete]

    @property
    def slots(self) -> int:
        """Tasks that could run at once when most executors were there."""
        return max_slots(self.run)

    @cached_property
    def failed_jobs(self) -> list[Job]:
        """Jobs that failed of themselves: nobody cancelled them, or closed the session under them."""
        jobs = (job for job in self.run.jobs.values() if job.succeeded is False)
        return [job for job in jobs if not is_cancellation(job.failure)]

    @cached_property
    def lost_executors(self) -> list[Executor]:
        """Executors that went without being asked to, before the end."""
        return [one for one in self.run.executors.values() if self._is_lost(one)]

    @cached_property
    def _jobs_end(self) -> int | None:
        """When the last job ended; None where there was none, or one still runs."""
        ends = [job.completed_ms for job in self.run.jobs.values() if job.submitted_ms]
        known = [end for end in ends if end]
        return max(known) if known and len(known) == len(ends) else None

    @cached_property
    def last_task_of_query(self) -> dict[int, int]:
        """Query to the end of its last task."""
        found: dict[int, int] = {}
        for stage in self.run.stages.values():
            if stage.execution is not None and stage.last_finish_ms:
                found[stage.execution] = max(found.get(stage.execution, 0), stage.last_finish_ms)
        return found

    def _is_lost(self, executor: Executor) -> bool:
        if executor.removed_ms is None or is_benign_removal(executor.reason) or is_preemption(executor.reason):
            return False
        end, jobs_end = self.run.end_ms, self._jobs_end
        is_over = jobs_end is not None and jobs_end < executor.removed_ms
        return not (is_over or (end is not None and executor.removed_ms >= end - _END_SLACK_MS))

    @property
    def taken_executors(self) -> list[Executor]:
        """Executors that the cluster took away: preempted, or lost with their node."""
        return [one for one in self.run.executors.values() if one.removed_ms and is_preemption(one.reason)]

    def symptoms(self, rule: str) -> list[str]:
        """Return what events and logs say of a rule, as evidence."""
        sources = [self.said, *([self.logs.symptoms] if self.logs else [])]
        found = [symptom for source in sources if (symptom := source.get(rule)) is not None]
        return [line for symptom in found for line in symptom.lines]

    def texts(self, rule: str) -> list[str]:
        """Return the sentences themselves."""
        sources = [self.said, *([self.logs.symptoms] if self.logs else [])]
        return [text for source in sources if (symptom := source.get(rule)) is not None for text in symptom.texts]

    def executors_of(self, rule: str) -> list[Executor]:
        """Return the executors that a rule's sentences are about."""
        sources = [self.said, *([self.logs.symptoms] if self.logs else [])]
        names = {name for source in sources if (found := source.get(rule)) is not None for name in found.executors}
        return [self.run.executors[name] for name in sorted(names) if name in self.run.executors]

    def count(self, rule: str) -> int:
        """Return how often events say it; of the logs where events do not."""
        symptom = self.said.get(rule) or (self.logs.symptoms.get(rule) if self.logs else None)
        return symptom.count if symptom is not None else 0


def collect(context: RunContext) -> None:
    """Gather what jobs, stages, tasks, queries and lost executors have said."""
    run, said = context.run, context.said
    for executor in context.lost_executors:
        said.take(executor.reason, f"executor {executor.executor_id}", executor=executor.executor_id)
    for failure in run.failures.values():
        stages = ", ".join(sorted(stage_name(run, key) for key in failure.stages)[:3])
        one = next(iter(failure.executors)) if len(failure.executors) == 1 else ""
        said.take(failure.text, f"{failure.count} tasks of {stages}", count=failure.count, executor=one)
    for job in run.jobs.values():
        if job.failure:
            said.take(job.failure, f"job {job.job_id}")
    for stage in run.stages.values():
        if stage.failure:
            said.take(stage.failure, stage_name(run, stage.key))
    for execution in run.executions.values():
        if execution.error:
            said.take(execution.error, f"query {execution.execution_id}")


def stage_name(run: Run, key: tuple[int, int]) -> str:
    """Name a stage for people: its number, and what its job is called."""
    stage = run.stages.get(key)
    attempt = f".{key[1]}" if key[1] else ""
    label = f" ({stage.label[:80]})" if stage is not None and stage.label else ""
    return f"stage {key[0]}{attempt}{label}"


def max_slots(run: Run) -> int:
    """Return how many tasks the executors could run at once when most of them were there."""
    cpus = max(1, _whole(run.conf.get("spark.task.cpus", "1"), 1))
    changes = []
    for one in run.workers:
        size = max(0, one.cores) // cpus
        changes.append((one.added_ms or 0, 1, size))
        if one.removed_ms is not None:
            changes.append((one.removed_ms, 0, -size))
    now = most = 0
    for _, _, size in sorted(changes):
        now += size
        most = max(most, now)
    return most


def _whole(text: str, default: int) -> int:
    return int(text) if text.isdigit() else default
