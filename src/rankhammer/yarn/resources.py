"""How much of a cluster a run asks for, worked out and checked against what the cluster has before YARN is asked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import Field, model_validator

from rankhammer.errors import ClusterError, did_you_mean
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Self

    from rankhammer.yarn.limits import Limits

AUTO = "auto"
AM_MB = 512 + 384
"""Container of the application master where the driver runs outside of the cluster."""
WORKER_MB = 300
"""What a Python worker takes before it holds data: the interpreter, numpy, pandas, pyarrow, xgboost."""
COPIES = 3
"""A training matrix in a worker: as it was read, the fold that was taken out of it, and XGBoost's own form of it."""


class Profile(StrictModel):
    """One size of a run."""

    instances: int = Field(ge=1, le=10_000, description="executors, at most where their number moves")
    cores: int = Field(ge=1, le=6, description="cores per executor; more than six slow HDFS and the JVM down")
    memory_mb: int = Field(ge=460, le=1_000_000, description="heap of an executor")
    overhead_mb: int = Field(ge=384, le=1_000_000, description="memory of an executor beside the heap: Python workers")
    java_options: str = Field("", description="options of an executor's JVM, for those that live for minutes only")
    driver_memory_mb: int = Field(2048, ge=512, le=1_000_000, description="heap of the driver")
    driver_overhead_mb: int = Field(1024, ge=384, le=1_000_000, description="its memory beside the heap, in YARN")

    @property
    def container_mb(self) -> int:
        """Memory of an executor's container before YARN rounds it up."""
        return self.memory_mb + self.overhead_mb


class Dynamic(StrictModel):
    """Executors that come and go with the work."""

    enabled: bool = Field(True, description="with shuffle tracking: no service on the nodes is needed")
    min_instances: int = Field(0, ge=0, le=10_000, description="executors that stay")
    idle_timeout_s: int = Field(60, ge=5, le=86_400, description="an executor without work goes after so long")


class Rule(StrictModel):
    """Which corpora a profile is for."""

    max_rows: int | None = Field(None, ge=1, description="judged rows of a corpus at most; null: all others")
    profile: str = Field(description="name of a profile")


class ResourceSettings(StrictModel):
    """The section `resources` of cluster.yml."""

    profile: str = Field(AUTO, description=f"name of a profile, or {AUTO}: the largest that fits")
    max_share: float = Field(0.5, gt=0, le=1, description="part of the cluster's memory that a run takes at most")
    queue: str | None = Field(None, description="YARN queue; null: the cluster's default")
    node_label: str | None = Field(None, description="partition of the cluster; null: the default one")
    gpus: int = Field(0, ge=0, le=16, description="GPUs an executor")
    train_task_cpus: int | None = Field(
        None, ge=1, le=6, description="cores per task while training; null: all of an executor"
    )
    dynamic_allocation: Dynamic = Dynamic()
    profiles: dict[str, Profile] = Field(default_factory=dict, description="by name, smallest first")
    rules: tuple[Rule, ...] = Field((), description="first match decides, for `rankhammer submit --by-size`")

    @model_validator(mode="after")
    def _names_are_known(self) -> Self:
        for name in [self.profile, *(rule.profile for rule in self.rules)]:
            if name != AUTO and name not in self.profiles:
                raise ValueError(f"unknown profile {name!r}. {did_you_mean(name, set(self.profiles))}")
        return self


@dataclass(frozen=True)
class Matrix:
    """The largest training matrix of a run: it is in each worker as a whole.

    Args:
        n_rows: Judged pairs of the largest corpus.
        n_features: Of each.
    """

    n_rows: int
    n_features: int

    @property
    def n_bytes(self) -> int:
        """Bytes of the values alone, 4 each."""
        return 4 * self.n_rows * self.n_features


def largest(matrices: Iterable[Matrix]) -> Matrix | None:
    """Return the matrix with the most values; None where there is none."""
    return max(matrices, key=lambda matrix: matrix.n_bytes, default=None)


@dataclass(frozen=True)
class ResourceRequest:
    """What a run asks for.

    Args:
        name: Of the profile.
        profile: Its size, with the overhead and the instances that were worked out.
        task_cpus: Cores a task.
        driver_in_cluster: Whether YARN runs the driver, too.
        arithmetic: How it was worked out, a line each.
    """

    name: str
    profile: Profile
    task_cpus: int
    driver_in_cluster: bool
    arithmetic: tuple[str, ...] = ()

    @property
    def slots(self) -> int:
        """Tasks that run at once."""
        return self.profile.instances * (self.profile.cores // self.task_cpus)

    @property
    def master(self) -> str:
        """What runs in the container that is not an executor's."""
        return "driver" if self.driver_in_cluster else "application master"

    @property
    def master_mb(self) -> int:
        """Memory of the container that is not an executor's."""
        of_driver = self.profile.driver_memory_mb + self.profile.driver_overhead_mb
        return of_driver if self.driver_in_cluster else AM_MB


def work_out(
    settings: ResourceSettings,
    limits: Limits,
    *,
    is_training: bool,
    driver_in_cluster: bool,
    matrix: Matrix | None = None,
) -> ResourceRequest:
    """Choose a profile and fit it to the cluster.

    Args:
        settings: Of cluster.yml.
        limits: What the cluster has, and what the queue grants.
        is_training: Whether every stage of the run belongs to training: then a task may use many cores.
        driver_in_cluster: Whether YARN runs the driver, too.
        matrix: Largest training matrix, where it is known.

    Raises:
        ClusterError: No profile, or not the one that is asked for, fits; the message holds the arithmetic.
    """
    names = [settings.profile] if settings.profile != AUTO else list(reversed(settings.profiles))
    if not names:
        raise ClusterError("resources.profiles is empty.", hint="conf/base/cluster.yml has three of them.")
    refusals = []
    for name in names:
        request = _request(name, settings, is_training=is_training, driver_in_cluster=driver_in_cluster, matrix=matrix)
        fitted, refusal = _fit(request, settings, limits)
        if fitted is not None:
            return fitted
        refusals.append(f"{name}: {refusal}")
    raise ClusterError(
        "The cluster cannot run this: " + "; ".join(refusals) + ".",
        hint="Ask for less in conf/<env>/cluster.yml (resources), or for another queue.",
    )


def spark_settings(request: ResourceRequest, settings: ResourceSettings) -> dict[str, str]:
    """Return a request as flat Spark keys."""
    profile, moves = request.profile, settings.dynamic_allocation
    keys = {
        "spark.executor.cores": profile.cores,
        "spark.executor.memory": f"{profile.memory_mb}m",
        "spark.executor.memoryOverhead": f"{profile.overhead_mb}m",
        "spark.task.cpus": request.task_cpus,
        "spark.driver.memory": f"{profile.driver_memory_mb}m",
        "spark.driver.memoryOverhead": f"{profile.driver_overhead_mb}m",
        "spark.yarn.am.memory": "512m",
        "spark.yarn.am.memoryOverhead": "384m",
        "spark.default.parallelism": max(2, request.slots),
        "spark.sql.shuffle.partitions": max(4, 3 * request.slots),
    }
    if moves.enabled:
        keys |= {
            "spark.dynamicAllocation.enabled": "true",
            "spark.dynamicAllocation.shuffleTracking.enabled": "true",
            "spark.dynamicAllocation.minExecutors": min(moves.min_instances, profile.instances),
            "spark.dynamicAllocation.maxExecutors": profile.instances,
            "spark.dynamicAllocation.executorIdleTimeout": f"{moves.idle_timeout_s}s",
            # Executors that hold a cached frame may go, too: a frame is computed again.
            "spark.dynamicAllocation.cachedExecutorIdleTimeout": f"{10 * moves.idle_timeout_s}s",
        }
    else:
        keys |= {"spark.dynamicAllocation.enabled": "false", "spark.executor.instances": profile.instances}
    if profile.java_options:
        keys["spark.executor.extraJavaOptions"] = profile.java_options
    if settings.queue:
        keys["spark.yarn.queue"] = settings.queue
    if settings.node_label:
        keys |= {f"spark.yarn.{who}.nodeLabelExpression": settings.node_label for who in ("am", "executor")}
    if settings.gpus:
        keys |= {"spark.executor.resource.gpu.amount": settings.gpus, "spark.task.resource.gpu.amount": settings.gpus}
    return {key: str(value) for key, value in keys.items()}


def training_overhead_mb(matrix: Matrix, *, tasks: int) -> int:
    """Return the memory beside the heap that training takes in one executor, in MB.

    Args:
        matrix: That every worker holds.
        tasks: That run in an executor at once, a worker each.
    """
    return 384 + tasks * (WORKER_MB + math.ceil(COPIES * matrix.n_bytes / 2**20))


def profile_for(n_rows: int, settings: ResourceSettings) -> str:
    """Return the profile that the rules give a corpus.

    Args:
        n_rows: Its judged rows.
        settings: Of cluster.yml.
    """
    fitting = (rule.profile for rule in settings.rules if rule.max_rows is None or n_rows <= rule.max_rows)
    return next(fitting, settings.profile)


def _request(
    name: str, settings: ResourceSettings, *, is_training: bool, driver_in_cluster: bool, matrix: Matrix | None
) -> ResourceRequest:
    profile = settings.profiles[name]
    task_cpus = min(settings.train_task_cpus or profile.cores, profile.cores) if is_training else 1
    arithmetic: tuple[str, ...] = ()
    if matrix is not None:
        tasks = profile.cores // task_cpus
        needed = training_overhead_mb(matrix, tasks=tasks)
        data = f"{COPIES} x {matrix.n_rows:,} rows x {matrix.n_features} features x 4 bytes"
        beside = f"{needed} MB beside the heap, {profile.overhead_mb} in the profile"
        arithmetic = (f"training: 384 MB + {tasks} workers x ({WORKER_MB} MB + {data}) = {beside}",)
        profile = profile.model_copy(update={"overhead_mb": max(profile.overhead_mb, needed)})
    return ResourceRequest(name, profile, task_cpus, driver_in_cluster, arithmetic)


def _fit(request: ResourceRequest, settings: ResourceSettings, limits: Limits) -> tuple[ResourceRequest | None, str]:
    """Return the request with as many executors as there is room for, or None and why there is none for one."""
    profile = request.profile
    container, master = limits.rounded(profile.container_mb), limits.rounded(request.master_mb)
    size = f"an executor is {profile.memory_mb} + {profile.overhead_mb} MB, rounded to {container}"
    for what, needed in ((size, container), (f"the container of the {request.master} is {master} MB", master)):
        if needed > limits.max_container_mb:
            return None, f"{what}, and the largest container is {limits.max_container_mb} MB"
    if profile.cores > limits.max_container_cores:
        return None, f"an executor has {profile.cores} cores, and a container gets {limits.max_container_cores}"
    share = min(settings.max_share, limits.queue_share)
    left = int(limits.memory_mb * share) - master
    by_share, by_nodes = max(0, left // container), limits.containers(container, profile.cores)
    by_cores = limits.queue_cores // profile.cores
    room = f"{limits.memory_mb} MB x {share:.2f} - {master} for the {request.master} = {left}: {by_share} executors"
    granted = min(profile.instances, by_share, by_nodes, by_cores)
    found = f"{by_nodes} by nodes" + (f", {by_cores} by the queue's {limits.queue_cores} cores" * (by_cores < by_nodes))
    if granted < min(2, profile.instances):
        return None, f"{size}; {room}, {found}; {min(2, profile.instances)} are wanted at least"
    arithmetic = (
        *request.arithmetic,
        size,
        room,
        f"{found}, {profile.instances} in the profile: {granted}",
    )
    return replace(request, profile=profile.model_copy(update={"instances": granted}), arithmetic=arithmetic), ""


def describe(request: ResourceRequest) -> Mapping[str, object]:
    """Return a request as plain facts, for a report."""
    return {
        "profile": request.name,
        "executors": request.profile.instances,
        "executor_cores": request.profile.cores,
        "executor_mb": request.profile.container_mb,
        "task_cpus": request.task_cpus,
        "slots": request.slots,
        "master_mb": request.master_mb,
        "arithmetic": list(request.arithmetic),
    }
