"""What is kept of a run: aggregates of stages, executors, jobs and queries, never all tasks."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rankhammer_doctor.event_log.lines import ReadReport
from rankhammer_doctor.event_log.timeline import Timeline
from rankhammer_doctor.sketch import QuantileSketch

if TYPE_CHECKING:
    from rankhammer_doctor.event_log.sql import SqlExecution

SHARES = tuple(step / 20 for step in range(21))
"""Shares of the quantiles of task times that stay of a finished stage; of what tasks read, fewer stay."""
_FEW_SHARES = (0.0, 0.5, 1.0)
DRIVER = "driver"
_OF_STREAM = re.compile(r"\s*id = [0-9a-f-]{36}\s+runId = .*", re.DOTALL)
_NAMELESS = ("$anonfun$", "CompletableFuture")
"""In the names of stages that Spark 4 submits from threads of its own: they say nothing of the program."""
_NODE_OF_PRODUCT = re.compile(r"^([a-z_]+): ([\w.]+)$")


@dataclass(slots=True)
class Totals:
    """Sums over tasks; times in milliseconds unless the name says otherwise, sizes in bytes."""

    run_ms: int = 0
    cpu_ns: int = 0
    gc_ms: int = 0
    deserialize_ms: int = 0
    serialize_ms: int = 0
    result_bytes: int = 0
    memory_spilled: int = 0
    disk_spilled: int = 0
    input_bytes: int = 0
    input_rows: int = 0
    output_bytes: int = 0
    output_rows: int = 0
    shuffle_read_bytes: int = 0
    shuffle_read_rows: int = 0
    shuffle_write_bytes: int = 0
    shuffle_write_rows: int = 0
    fetch_wait_ms: int = 0
    peak_execution_memory: int = 0


@dataclass(slots=True)
class TaskSample:
    """The slowest task of a stage.

    Args:
        index: Partition.
        duration_ms: From launch to finish.
        bytes_in: Read from input and from shuffles.
        rows_in: Likewise.
        rows_out: Written to output and to shuffles.
        gc_ms: Garbage collection of its JVM meanwhile.
        deserialize_ms: Until its code was loaded.
        executor: Id.
        host: Where.
        launch_ms: When it began, milliseconds since the epoch.
    """

    index: int
    duration_ms: int
    bytes_in: int
    rows_in: int
    rows_out: int
    gc_ms: int
    deserialize_ms: int
    executor: str
    host: str
    launch_ms: int


@dataclass(slots=True)
class Distribution:
    """Quantiles of one figure over a stage's successful tasks: the least one first, the median in the middle."""

    count: int
    total: float
    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle value."""
        return self.values[len(self.values) // 2]

    @property
    def maximum(self) -> float:
        """The largest value."""
        return self.values[-1]


class TaskSketches:
    """The sketches of a stage that runs."""

    __slots__ = ("bytes_in", "duration_ms", "rows_in", "rows_out")

    def __init__(self) -> None:
        self.duration_ms = QuantileSketch()
        self.bytes_in = QuantileSketch()
        self.rows_in = QuantileSketch()
        self.rows_out = QuantileSketch()

    def distributions(self) -> dict[str, Distribution]:
        """Return quantiles by the figure's name."""
        found = {}
        for name in self.__slots__:
            sketch: QuantileSketch = getattr(self, name)
            shares = SHARES if name == "duration_ms" else _FEW_SHARES
            values = (*sketch.quantiles(shares[:-1]), sketch.maximum)
            found[name] = Distribution(sketch.count, sketch.total, values)
        return found


@dataclass(slots=True)
class Stage:
    """One attempt of a stage.

    `n_excused` of the failed tasks went with an executor that the cluster took away. `steps` is a digest of the RDDs'
    names and places in the program: equal for stages that do the same. `query` is what their query is called.
    """

    stage_id: int
    attempt: int
    name: str = ""
    n_tasks: int = 0
    parents: tuple[int, ...] = ()
    steps: bytes = b""
    is_barrier: bool = False
    submitted_ms: int | None = None
    completed_ms: int | None = None
    first_launch_ms: int | None = None
    last_finish_ms: int | None = None
    failure: str = ""
    description: str = ""
    group: str = ""
    execution: int | None = None
    jobs: list[int] = field(default_factory=list)
    is_skipped: bool = False
    n_started: int = 0
    n_complete: int = 0
    n_failed: int = 0
    n_killed: int = 0
    n_excused: int = 0
    task_cpus: int = 1
    totals: Totals = field(default_factory=Totals)
    scheduler_delay_ms: int = 0
    host_ms: dict[str, list[int]] = field(default_factory=dict)
    slowest: TaskSample | None = None
    sketches: TaskSketches | None = None
    distributions: dict[str, Distribution] = field(default_factory=dict)
    failures: Counter[str] | None = None
    completed_indices: bytearray = field(default_factory=bytearray)
    n_indices: int = 0
    was_submitted: bool = False
    query: str = ""

    @property
    def key(self) -> tuple[int, int]:
        """Stage id and attempt."""
        return self.stage_id, self.attempt

    @property
    def status(self) -> str:
        """The History Server's word for how it is."""
        if self.failure:
            return "FAILED"
        if self.completed_ms is not None:
            return "COMPLETE"
        if self.is_skipped or not self.was_submitted:
            return "SKIPPED" if self.is_skipped else "PENDING"
        return "ACTIVE"

    @property
    def label(self) -> str:
        """What people call it, on one line: the description of its job, else its name, else its query's."""
        is_nameless = any(part in self.name for part in _NAMELESS)
        # A stream's is the query's name, if it has one, and numbers that no other run has.
        said = _OF_STREAM.sub("", self.description) or (self.query if is_nameless else "") or self.name
        return " ".join(said.split())

    @property
    def is_of_stream(self) -> bool:
        """Whether it belongs to a batch of a streaming query: the same steps again, on other rows."""
        return _OF_STREAM.search(self.description) is not None

    @property
    def node(self) -> str:
        """The Kedro node, where the log is of Rankhammer; else empty."""
        found = _NODE_OF_PRODUCT.match(self.description)
        return found[2] if found else ""

    @property
    def duration_ms(self) -> int:
        """From submission to completion, or to the last task's end."""
        end = self.completed_ms or self.last_finish_ms
        start = self.submitted_ms or self.first_launch_ms
        return max(0, end - start) if end and start else 0

    @property
    def bytes_in(self) -> int:
        """Read from input and from shuffles."""
        return self.totals.input_bytes + self.totals.shuffle_read_bytes

    @property
    def rows_in(self) -> int:
        """Likewise."""
        return self.totals.input_rows + self.totals.shuffle_read_rows

    def distribution(self, name: str) -> Distribution:
        """Return the quantiles of duration_ms, bytes_in, rows_in or rows_out."""
        self.close()
        return self.distributions.get(name, _NO_TASKS)

    def close(self) -> None:
        """Keep quantiles instead of sketches, for flat memory."""
        if self.sketches is not None:
            self.distributions = self.sketches.distributions()
            self.sketches = None


_NO_TASKS = Distribution(0, 0.0, (0.0,) * len(SHARES))


@dataclass(slots=True)
class Peaks:
    """Largest values that an executor has reported, in bytes; 0 where nobody measured."""

    heap: int = 0
    off_heap: int = 0
    jvm_rss: int = 0
    python_rss: int = 0
    other_rss: int = 0
    direct: int = 0
    execution: int = 0
    storage: int = 0


@dataclass(slots=True)
class Executor:
    """One executor, or the driver."""

    executor_id: str
    host: str = ""
    cores: int = 0
    added_ms: int | None = None
    removed_ms: int | None = None
    reason: str = ""
    profile: int = 0
    storage_bytes: int = 0
    n_started: int = 0
    n_complete: int = 0
    n_failed: int = 0
    n_killed: int = 0
    duration_ms: int = 0
    totals: Totals = field(default_factory=Totals)
    first_launch_ms: int | None = None
    first_finish_ms: int | None = None
    peaks: Peaks = field(default_factory=Peaks)
    log_urls: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """One job."""

    job_id: int
    submitted_ms: int | None = None
    completed_ms: int | None = None
    succeeded: bool | None = None
    failure: str = ""
    stage_ids: tuple[int, ...] = ()
    description: str = ""
    group: str = ""
    execution: int | None = None


@dataclass(slots=True)
class TaskFailure:
    """Tasks that failed with the same words.

    Args:
        kind: FetchFailed, ExecutorLostFailure, ExceptionFailure, ...
        text: What was said, with the beginning of the trace.
        count: How many.
        stages: Keys of their stages.
        executors: Ids.
        hosts: Where.
    """

    kind: str
    text: str
    count: int = 0
    stages: set[tuple[int, int]] = field(default_factory=set)
    executors: set[str] = field(default_factory=set)
    hosts: set[str] = field(default_factory=set)


@dataclass(slots=True)
class CachedRdd:
    """What block updates say of a cached RDD: blocks that are in memory, on disk, or were dropped."""

    name: str = ""
    n_partitions: int = 0
    memory: dict[str, int] = field(default_factory=dict)
    disk: dict[str, int] = field(default_factory=dict)
    n_evicted: int = 0
    is_unpersisted: bool = False


@dataclass
class Run:
    """An application, as far as its event log says."""

    name: str = ""
    version: str = ""
    app_id: str = ""
    app_name: str = ""
    attempt: str = ""
    user: str = ""
    start_ms: int | None = None
    end_ms: int | None = None
    last_ms: int | None = None
    in_progress: bool = False
    conf: dict[str, str] = field(default_factory=dict)
    hadoop_conf: dict[str, str] = field(default_factory=dict)
    system: dict[str, str] = field(default_factory=dict)
    jvm: dict[str, str] = field(default_factory=dict)
    executors: dict[str, Executor] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    stages: dict[tuple[int, int], Stage] = field(default_factory=dict)
    executions: dict[int, SqlExecution] = field(default_factory=dict)
    failures: dict[tuple[str, str], TaskFailure] = field(default_factory=dict)
    n_failures_not_kept: int = 0
    cached: dict[int, CachedRdd] = field(default_factory=dict)
    profiles: dict[int, dict[str, float]] = field(default_factory=dict)
    task_timeline: Timeline = field(default_factory=Timeline)
    report: ReadReport = field(default_factory=ReadReport)
    unknown_events: Counter[str] = field(default_factory=Counter)

    @property
    def first_ms(self) -> int:
        """Beginning of the application, or of what is known of it."""
        candidates = [self.start_ms, *(stage.submitted_ms for stage in self.stages.values())]
        if not any(candidates):
            candidates = [one.added_ms for one in self.executors.values()]
        return min((value for value in candidates if value), default=self.end_ms or self.last_ms or 0)

    @property
    def final_ms(self) -> int:
        """End of the application, or the last time that the log names."""
        return self.end_ms or self.last_ms or self.first_ms

    @property
    def duration_ms(self) -> int:
        """Wall time."""
        return max(0, self.final_ms - self.first_ms)

    @property
    def is_local(self) -> bool:
        """Whether driver and tasks share one process."""
        master = self.conf.get("spark.master", "")
        if master:
            return master.startswith("local") and not master.startswith("local-cluster")
        return bool(self.executors) and not self.workers

    @property
    def workers(self) -> list[Executor]:
        """Executors without the driver; in local mode it is the driver."""
        others = [executor for executor in self.executors.values() if executor.executor_id != DRIVER]
        return others or [executor for executor in self.executors.values() if executor.n_started or executor.cores]

    @property
    def task_ms(self) -> int:
        """Time of all tasks, from launch to finish."""
        return sum(executor.duration_ms for executor in self.executors.values())
