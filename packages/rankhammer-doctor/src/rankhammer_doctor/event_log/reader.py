"""Reads an event log event by event.

References:
    Apache Spark, core/src/main/scala/org/apache/spark/util/JsonProtocol.scala, versions 2.1 to 4.1: names of events
    and of their fields.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any

from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.event_log import location
from rankhammer_doctor.event_log.fields import describe_stage, pairs_of, parse_line, whole_or_none
from rankhammer_doctor.event_log.lines import read_lines
from rankhammer_doctor.event_log.run import CachedRdd, Executor, Job, Run, Stage
from rankhammer_doctor.event_log.sql_events import SqlReader
from rankhammer_doctor.event_log.tasks import add_peaks, add_task_end, executor_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_UNUSED = frozenset(
    {
        "SparkListenerTaskGettingResult",
        "SparkListenerExecutorMetricsUpdate",
        "SparkListenerNodeBlacklisted",
        "SparkListenerNodeUnblacklisted",
        "SparkListenerExecutorBlacklisted",
        "SparkListenerExecutorUnblacklisted",
        "SparkListenerNodeExcluded",
        "SparkListenerNodeUnexcluded",
        "SparkListenerExecutorExcluded",
        "SparkListenerExecutorUnexcluded",
        "SparkListenerBlockManagerRemoved",
        "SparkListenerSpeculativeTaskSubmitted",
        "SparkListenerUnschedulableTaskSetAdded",
        "SparkListenerUnschedulableTaskSetRemoved",
        "SparkListenerMiscellaneousProcessAdded",
        "SparkListenerStageExecutorMetrics",
        "SparkListenerSQLAdaptiveSQLMetricUpdates",
    }
)
"""Events that are known, and of which nothing more is needed."""
_FAILURE = 6000


def read_run(place: str, *, on_progress: Callable[[int], None] | None = None) -> Run:
    """Read an application's event log.

    Args:
        place: File, rolling folder or zip; a path or a URI.
        on_progress: Called with the number of lines, now and then.

    Raises:
        DoctorError: Nothing is there, or not a single line is an event of Spark's.
    """
    log = location.locate(place)
    reader = _Reader(log.name, in_progress=log.in_progress)
    report = reader.run.report
    for line in read_lines(log, report):
        reader.read(line)
        if on_progress is not None and not report.n_lines & 0x3FFF:
            on_progress(report.n_lines)
    return reader.finish()


class _Reader:
    """Takes events in their order."""

    def __init__(self, name: str, *, in_progress: bool) -> None:
        self.run = Run(name=name, in_progress=in_progress)
        self._sql = SqlReader(self.run, self._seen)
        self._n_events = 0
        self._is_foreign = False
        self._attempts: dict[int, int] = {}
        self._jobs_of_stage: dict[int, list[Job]] = {}
        self._handlers: Mapping[str, Callable[[dict[str, Any]], None]] = {
            "SparkListenerTaskStart": self._task_start,
            "SparkListenerTaskEnd": self._task_end,
            "SparkListenerStageSubmitted": self._stage_submitted,
            "SparkListenerStageCompleted": self._stage_completed,
            "SparkListenerJobStart": self._job_start,
            "SparkListenerJobEnd": self._job_end,
            "SparkListenerExecutorAdded": self._executor_added,
            "SparkListenerExecutorRemoved": self._executor_removed,
            "SparkListenerBlockManagerAdded": self._block_manager_added,
            "SparkListenerEnvironmentUpdate": self._environment,
            "SparkListenerApplicationStart": self._application_start,
            "SparkListenerApplicationEnd": self._application_end,
            "SparkListenerLogStart": self._log_start,
            "DBCEventLoggingListenerMetadata": self._log_start,
            "SparkListenerResourceProfileAdded": self._profile,
            "SparkListenerStageExecutorMetrics": self._stage_peaks,
            "SparkListenerBlockUpdated": self._block_updated,
            "SparkListenerUnpersistRDD": self._unpersist,
            "SparkListenerSQLExecutionStart": self._sql.start,
            "SparkListenerSQLAdaptiveExecutionUpdate": self._sql.update,
            "SparkListenerSQLExecutionEnd": self._sql.end,
            "SparkListenerDriverAccumUpdates": self._sql.driver_values,
        }

    def read(self, line: bytes) -> None:
        """Take one line; one that is torn or damaged is counted."""
        try:
            event = parse_line(line)
            name = event["Event"].rpartition(".")[2]
            handler = self._handlers.get(name)
            if handler is not None and not self._is_foreign:
                handler(event)
            elif name not in _UNUSED and handler is None:
                self.run.unknown_events[name] += 1
            self._n_events += 1
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError):
            self.run.report.n_unreadable += 1

    def finish(self) -> Run:
        """Return the run, with what is missing of it."""
        run = self.run
        if not self._n_events or not self._has_content():
            nothing = "; ".join(run.report.missing[:1]) or "it is empty"
            said = f"{run.report.n_lines} lines, none of them an event" if run.report.n_lines else nothing
            raise DoctorError(
                f"{run.name} is no event log of Spark: {said}.",
                hint="Name a file below spark.eventLog.dir; an application's console output goes behind --logs.",
            )
        if run.report.n_unreadable:
            run.report.missing.append(f"{run.report.n_unreadable} lines are torn or damaged and are left out")
        if self._is_foreign:
            run.report.missing.append("the log of another application follows, and is left out")
        if run.end_ms is None:
            run.report.missing.append("the end of the application: it runs, was killed, or the log is cut off")
        for stage in run.stages.values():
            stage.close()
            self._inherit(stage)
        return run

    def _has_content(self) -> bool:
        run = self.run
        return bool(run.version or run.app_name or run.stages or run.jobs or run.executors or run.conf)

    def _seen(self, time_ms: int | None) -> None:
        if time_ms and (self.run.last_ms is None or time_ms > self.run.last_ms):
            self.run.last_ms = time_ms

    def _log_start(self, event: dict[str, Any]) -> None:
        # Logs that were put behind each other: the next one begins.
        self._is_foreign = self.run.end_ms is not None
        self.run.version = self.run.version or str(event.get("Spark Version", ""))

    def _application_start(self, event: dict[str, Any]) -> None:
        run = self.run
        if run.start_ms is not None and run.app_id != str(event.get("App ID") or ""):
            self._is_foreign = True
            return
        run.app_name, run.user = str(event.get("App Name", "")), str(event.get("User", ""))
        run.app_id, run.attempt = str(event.get("App ID") or ""), str(event.get("App Attempt ID") or "")
        run.start_ms = int(event["Timestamp"])
        run.task_timeline.start_ms = run.task_timeline.start_ms or run.start_ms
        self._seen(run.start_ms)

    def _application_end(self, event: dict[str, Any]) -> None:
        self.run.end_ms = int(event["Timestamp"])
        self._seen(self.run.end_ms)

    def _environment(self, event: dict[str, Any]) -> None:
        run = self.run
        run.conf |= pairs_of(event.get("Spark Properties"))
        run.hadoop_conf |= pairs_of(event.get("Hadoop Properties"))
        run.system |= pairs_of(event.get("System Properties"))
        run.jvm |= pairs_of(event.get("JVM Information"))

    def _profile(self, event: dict[str, Any]) -> None:
        asked = event.get("Executor Resource Requests") or {}
        amounts = {str(name): float(one["Amount"]) for name, one in asked.items()}
        cpus = (event.get("Task Resource Requests") or {}).get("cpus")
        if cpus:
            amounts["task.cpus"] = float(cpus["Amount"])
        self.run.profiles[int(event["Resource Profile Id"])] = amounts

    def _executor(self, name: str) -> Executor:
        found = self.run.executors.get(name)
        if found is None:
            found = self.run.executors[name] = Executor(name)
        return found

    def _executor_added(self, event: dict[str, Any]) -> None:
        executor, info = self._executor(executor_id(event)), event["Executor Info"]
        executor.host, executor.cores = str(info.get("Host", "")), int(info.get("Total Cores", 0))
        executor.profile = int(info.get("Resource Profile Id", 0))
        executor.log_urls = {str(name): str(url) for name, url in (info.get("Log Urls") or {}).items()}
        executor.added_ms = int(event["Timestamp"])
        executor.removed_ms, executor.reason = None, ""
        self._seen(executor.added_ms)

    def _executor_removed(self, event: dict[str, Any]) -> None:
        executor = self._executor(executor_id(event))
        executor.removed_ms, executor.reason = int(event["Timestamp"]), str(event.get("Removed Reason", ""))[:_FAILURE]
        self._seen(executor.removed_ms)

    def _block_manager_added(self, event: dict[str, Any]) -> None:
        manager = event["Block Manager ID"]
        executor = self._executor(executor_id(manager))
        executor.host = executor.host or str(manager.get("Host", ""))
        executor.storage_bytes = int(event.get("Maximum Onheap Memory") or event.get("Maximum Memory") or 0)
        executor.added_ms = executor.added_ms or whole_or_none(event.get("Timestamp"))

    def _job_start(self, event: dict[str, Any]) -> None:
        properties = event.get("Properties") or {}
        execution = properties.get("spark.sql.execution.id")
        infos = event.get("Stage Infos") or []
        job = Job(
            job_id=int(event["Job ID"]),
            submitted_ms=whole_or_none(event.get("Submission Time")),
            stage_ids=tuple(int(one) for one in event.get("Stage IDs") or [info["Stage ID"] for info in infos]),
            description=intern(str(properties.get("spark.job.description") or "")),
            group=intern(str(properties.get("spark.jobGroup.id") or "")),
            execution=int(execution) if execution is not None else None,
        )
        self.run.jobs[job.job_id] = job
        self._seen(job.submitted_ms)
        if job.execution in self.run.executions:
            self.run.executions[job.execution].jobs.append(job.job_id)
        for stage_id in job.stage_ids:
            self._jobs_of_stage.setdefault(stage_id, []).append(job)
        for info in infos:
            stage = self._stage(info)
            describe_stage(stage, info)
            stage.jobs.append(job.job_id)
            stage.execution = job.execution if stage.execution is None else stage.execution

    def _job_end(self, event: dict[str, Any]) -> None:
        job = self.run.jobs.setdefault(int(event["Job ID"]), Job(int(event["Job ID"])))
        job.completed_ms = whole_or_none(event.get("Completion Time"))
        result = event.get("Job Result") or {}
        job.succeeded = result.get("Result") == "JobSucceeded"
        exception = result.get("Exception") or {}
        job.failure = "" if job.succeeded else str(exception.get("Message", "the job failed"))[:_FAILURE]
        self._seen(job.completed_ms)
        for stage_id in job.stage_ids:
            stage = self.run.stages.get((stage_id, self._attempts.get(stage_id, 0)))
            if stage is not None and not stage.was_submitted:
                stage.is_skipped = True

    def _stage(self, info: dict[str, Any]) -> Stage:
        """Return a stage's attempt; one that a job names again before it runs is the same."""
        key = int(info["Stage ID"]), int(info.get("Stage Attempt ID", 0))
        stage = self.run.stages.get(key)
        if stage is None:
            stage = self.run.stages[key] = Stage(*key)
            self._attempts[key[0]] = max(self._attempts.get(key[0], 0), key[1])
        return stage

    def _stage_submitted(self, event: dict[str, Any]) -> None:
        stage = self._stage(event["Stage Info"])
        describe_stage(stage, event["Stage Info"])
        stage.was_submitted, stage.is_skipped = True, False
        properties = event.get("Properties") or {}
        stage.description = intern(str(properties.get("spark.job.description") or ""))
        stage.group = intern(str(properties.get("spark.jobGroup.id") or ""))
        execution = properties.get("spark.sql.execution.id")
        stage.execution = int(execution) if execution is not None else stage.execution
        self._seen(stage.submitted_ms)

    def _stage_completed(self, event: dict[str, Any]) -> None:
        info = event["Stage Info"]
        stage = self._stage(info)
        describe_stage(stage, info)
        stage.was_submitted = True
        stage.completed_ms = whole_or_none(info.get("Completion Time"))
        stage.failure = str(info.get("Failure Reason") or "")[:_FAILURE]
        self._seen(stage.completed_ms)
        if stage.n_started <= stage.n_complete + stage.n_failed + stage.n_killed:
            stage.close()
            stage.completed_indices = bytearray()
        self._sql.task_values(stage.execution, info.get("Accumulables") or [])

    def _task_start(self, event: dict[str, Any]) -> None:
        stage = self._stage(event)
        stage.n_started += 1
        stage.was_submitted = True
        self._executor(executor_id(event["Task Info"])).n_started += 1
        launch = int(event["Task Info"]["Launch Time"])
        if stage.first_launch_ms is None or launch < stage.first_launch_ms:
            stage.first_launch_ms = launch
        self._seen(launch)

    def _task_end(self, event: dict[str, Any]) -> None:
        info = event["Task Info"]
        stage, executor = self._stage(event), self._executor(executor_id(info))
        executor.host = executor.host or str(info.get("Host", ""))
        stage.was_submitted = True
        add_task_end(self.run, event, stage, executor)
        self._seen(int(info["Finish Time"]))

    def _stage_peaks(self, event: dict[str, Any]) -> None:
        add_peaks(self._executor(executor_id(event)).peaks, event.get("Executor Metrics") or {})

    def _block_updated(self, event: dict[str, Any]) -> None:
        info = event["Block Updated Info"]
        block = str(info.get("Block ID", ""))
        if not block.startswith("rdd_"):
            return
        rdd = self.run.cached.setdefault(int(block.split("_")[1]), CachedRdd())
        where = f"{block} {(info.get('Block Manager ID') or {}).get('Executor ID', '')}"
        memory, disk = int(info.get("Memory Size", 0)), int(info.get("Disk Size", 0))
        rdd.n_evicted += bool(where in rdd.memory and not memory)
        for sizes, size in ((rdd.memory, memory), (rdd.disk, disk)):
            if size:
                sizes[where] = size
            else:
                sizes.pop(where, None)

    def _unpersist(self, event: dict[str, Any]) -> None:
        rdd = self.run.cached.get(int(event["RDD ID"]))
        if rdd is not None:
            rdd.is_unpersisted = True

    def _inherit(self, stage: Stage) -> None:
        """Give a stage that names no job's properties those of the job that ran it."""
        for job in self._jobs_of_stage.get(stage.stage_id, []):
            stage.description = stage.description or job.description
            stage.group = stage.group or job.group
            stage.execution = job.execution if stage.execution is None else stage.execution
        execution = self.run.executions.get(stage.execution) if stage.execution is not None else None
        stage.query = execution.description if execution is not None else ""
        cpus = self.run.conf.get("spark.task.cpus", "1")
        stage.task_cpus = int(cpus) if cpus.isdigit() and int(cpus) else 1
