"""What the doctor looks at: the settings that a run would be submitted with, the cluster's shape, and event logs."""

from __future__ import annotations

import logging
import os
import re
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ClusterError, ConfigError, RankhammerError
from rankhammer.pipeline_registry import COMPOSITES, trains_only
from rankhammer.runs.execute import cluster_settings, open_session, require_known
from rankhammer.storage.base import split_scheme, storage_for
from rankhammer.yarn import limits as yarn_limits
from rankhammer.yarn import resources
from rankhammer.yarn.limits import Limits
from rankhammer.yarn.resource_manager import ResourceManager, WorkerNode
from rankhammer.yarn.submission import CLUSTER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from rankhammer.yarn.settings import ClusterSettings
    from rankhammer.yarn.submission import SubmissionSpec
    from rankhammer_doctor.findings import Finding
    from rankhammer_doctor.static_rules.shape import ClusterShape

_MB = 2**20
_APPLICATION = re.compile(r"(application_\d+_\d+|local-\d+|app-\d+-\d+)(_\d+)?")
_PART = 8 * _MB
_READ_AT_ONCE = 64 * _MB
"""Bytes of an event log that is read right after a run."""
_LOG_DIR, _LOG_SWITCH = "spark.eventLog.dir", "spark.eventLog.enabled"
_CONF_DIRS = ("HADOOP_CONF_DIR", "YARN_CONF_DIR")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DoctorInputs:
    """A configuration as a run would have it.

    Args:
        conf: Flat Spark keys: spark.yml, and what is worked out of cluster.yml.
        shape: Of the cluster, with facts of the run; as far as they are known.
        notes: Where the figures come from.
        file: conf/<env>/spark.yml, which changes are written into.
        environ: Environment of this machine, where it is the one that submits.
    """

    conf: Mapping[str, str]
    shape: ClusterShape
    notes: tuple[str, ...]
    file: Path
    environ: Mapping[str, str] | None


def read_inputs(env: str | None, pipeline: str, shape: ClusterShape | None) -> DoctorInputs:
    """Work out what a run of an environment would ask for.

    Args:
        env: Kedro environment; None for the default one.
        pipeline: Stage, branch or line.
        shape: Of the cluster; None: it is asked of the ResourceManager, where HADOOP_CONF_DIR names one.

    Raises:
        ConfigError: A file of the configuration is wrong, or the pipeline is unknown.
        ClusterError: The ResourceManager does not answer.
    """
    require_known([pipeline])
    settings, own = cluster_settings(env)
    is_training = trains_only(COMPOSITES.get(pipeline, (pipeline,)))
    file = Path("conf") / (env or "local") / "spark.yml"
    if not own.get("spark.master", "").startswith("yarn"):
        return DoctorInputs(own, with_job(shape, is_training=is_training), ("one machine",), file, None)
    is_given = shape is not None
    found, note = (shape, "shape: as given") if shape is not None else asked_shape(settings)
    keys, asked = sizes(settings, found, is_training=is_training)
    conf = {**keys, "spark.submit.deployMode": settings.submit.deploy_mode, **own}
    environ = None if is_given else dict(os.environ)
    return DoctorInputs(conf, with_job(found, is_training=is_training), (note, asked), file, environ)


def check_submission(spec: SubmissionSpec, settings: ClusterSettings) -> list[Finding]:
    """Ask the doctor about what is about to be submitted.

    Args:
        spec: With what was worked out for the run.
        settings: Of cluster.yml.

    Returns:
        Warnings and errors, the gravest first; none where the doctor is not installed.
    """
    if not _has_doctor():
        return []
    flags = {"spark.master": "yarn", "spark.submit.deployMode": spec.deploy_mode}
    conf = {**spec.settings, **spec.flags, **flags}
    is_training = conf.get("spark.task.cpus", "1") != "1"
    return _grave(conf, with_job(asked_shape(settings)[0], is_training=is_training))


def check_plan(env: str | None, names: Sequence[str]) -> list[Finding]:
    """Ask the doctor about what is planned on YARN.

    Args:
        env: Kedro environment; None for the default one.
        names: Stages, branches or lines; none for the whole line.

    Returns:
        As `check_submission`.
    """
    if not _has_doctor():
        return []
    found = read_inputs(env, names[0] if len(names) == 1 else "__default__", None)
    return _grave(found.conf, found.shape)


def _has_doctor() -> bool:
    return find_spec("rankhammer_doctor") is not None


def _grave(conf: Mapping[str, str], shape: ClusterShape) -> list[Finding]:
    from rankhammer_doctor.findings import Severity
    from rankhammer_doctor.static_rules import check_conf

    found = check_conf(conf, shape, environ=os.environ, is_python=True)
    return [finding for finding in found if finding.severity > Severity.INFO]


def asked_shape(settings: ClusterSettings) -> tuple[ClusterShape, str]:
    """Ask the ResourceManager for the cluster's shape.

    Args:
        settings: Of cluster.yml: queue and node label.

    Returns:
        (shape, how it is known); an empty shape where no cluster is configured here.
    """
    from rankhammer_doctor.static_rules.shape import ClusterShape

    if not any(os.environ.get(name) for name in _CONF_DIRS):
        return ClusterShape(), "shape: not known, since HADOOP_CONF_DIR is not set; --cluster gives it"
    wanted = settings.resources
    found = yarn_limits.read(ResourceManager(), queue=wanted.queue, node_label=wanted.node_label)
    return shape_of_limits(found), "shape: of the ResourceManager"


def shape_of_limits(found: Limits) -> ClusterShape:
    """Describe a cluster to the doctor; of nodes of several sizes the smallest has to hold an executor.

    Args:
        found: What the ResourceManager says.
    """
    from rankhammer_doctor.static_rules.shape import ClusterShape

    return ClusterShape(
        nodes=len(found.nodes),
        yarn_memory=min(node.memory_mb for node in found.nodes) * _MB,
        yarn_vcores=min(node.cores for node in found.nodes),
        all_memory=found.memory_mb * _MB,
        all_vcores=found.cores,
        min_allocation=found.step_mb * _MB,
        max_allocation=found.max_container_mb * _MB,
        max_vcores=found.max_container_cores,
        queue_share=found.queue_share,
        counts_cores=found.counts_cores,
    )


def sizes(settings: ClusterSettings, shape: ClusterShape, *, is_training: bool) -> tuple[dict[str, str], str]:
    """Work out executors as `submit` does.

    Args:
        settings: Of cluster.yml.
        shape: Of the cluster; where it is not known, the profile is taken as it stands.
        is_training: Whether every stage of the run belongs to training.

    Returns:
        (flat Spark keys, which profile they are of).
    """
    in_cluster = settings.submit.deploy_mode == CLUSTER
    wanted = settings.resources
    if shape.nodes and shape.yarn_memory and shape.yarn_vcores:
        try:
            request = resources.work_out(wanted, _limits(shape), is_training=is_training, driver_in_cluster=in_cluster)
            return resources.spark_settings(request, wanted), f"profile {request.name}, fitted to the cluster"
        except ClusterError:
            # No profile fits: the rules say of the one that is asked for why not.
            pass
    name = wanted.profile if wanted.profile != resources.AUTO else next(reversed(wanted.profiles), "")
    if not name:
        return {}, "no profile"
    profile = wanted.profiles[name]
    cpus = min(wanted.train_task_cpus or profile.cores, profile.cores) if is_training else 1
    request = resources.ResourceRequest(name, profile, cpus, in_cluster)
    return resources.spark_settings(request, wanted), f"profile {name} as it stands, not fitted to a cluster"


def with_job(shape: ClusterShape | None, *, is_training: bool) -> ClusterShape:
    """Add what is known of every run of ours to what somebody says of this one.

    Args:
        shape: As given; None where nothing is.
        is_training: Whether XGBoost has a whole executor a task.
    """
    from rankhammer_doctor.static_rules.shape import ClusterShape, Job

    found = shape or ClusterShape()
    # Where a stage has barriers, executors stay already (trained_together); tasks run pandas and XGBoost in Python.
    known = {"python_udfs": True, "barrier": False, "xgboost": is_training, "python": _own_python(found)}
    said = {name: value for name, value in asdict(found.job).items() if value is not None}
    values = {name: getattr(found, name) for name in ClusterShape.__dataclass_fields__ if name != "job"}
    return ClusterShape(**values, job=Job(**{**known, **said}))


def _own_python(shape: ClusterShape) -> str | None:
    # Without a Python of the nodes the archive with ours travels.
    return f"{sys.version_info[0]}.{sys.version_info[1]}" if shape.python else None


def _limits(shape: ClusterShape) -> Limits:
    memory_mb, cores = (shape.yarn_memory or 0) // _MB, shape.yarn_vcores or 1
    nodes = tuple(WorkerNode(f"node{n}", memory_mb, cores, 0, 0, ()) for n in range(shape.nodes or 0))
    return Limits(
        nodes=nodes,
        queue="default",
        queue_share=shape.share,
        max_container_mb=min(memory_mb, (shape.max_allocation or 2**60) // _MB),
        max_container_cores=min(cores, shape.max_vcores or cores),
        step_mb=max(1, (shape.min_allocation or _MB) // _MB),
        counts_cores=shape.counts_cores,
    )


@contextmanager
def event_log(place: str, env: str | None) -> Iterator[str]:
    """Give a path at which the doctor can read an event log.

    Args:
        place: Path, URI, or id of an application, whose log is looked for in spark.eventLog.dir of the environment.
        env: Kedro environment; None for the default one.

    Yields:
        A path of this machine, or a URI that needs no JVM. What lies on the cluster's filesystem is copied first.

    Raises:
        ConfigError: Nothing is there.
    """
    is_id = _APPLICATION.fullmatch(place) is not None and not Path(place).exists()
    found = _of_application(place, env) if is_id else place
    scheme = split_scheme(found)[0].partition(":")[0]
    if scheme in ("", "file"):
        yield found.removeprefix("file://")
        return
    with tempfile.TemporaryDirectory(prefix="rankhammer-doctor-") as folder:
        _open(env)
        yield str(_copy(found, Path(folder)))


def live_place(place: str) -> str:
    """Return where a run in progress shows itself.

    Args:
        place: Address of a web UI, a port of this machine, or an application's id, of which YARN knows the address.

    Raises:
        ConfigError: The application does not run.
        ClusterError: YARN does not know it, or does not answer.
    """
    if not place.startswith("application_") or not any(os.environ.get(name) for name in _CONF_DIRS):
        return place
    found = ResourceManager().application(place)
    if found.get("state") != "RUNNING":
        raise ConfigError(
            f"{place} does not run: {found.get('state')}.",
            hint=f"`rankhammer doctor log {place}` reads its event log once it has ended.",
        )
    return str(found.get("trackingUrl") or place)


def _of_application(application: str, env: str | None) -> str:
    _, keys = cluster_settings(env)
    folder = keys.get(_LOG_DIR, "")
    if not folder:
        raise ConfigError(
            f"{_LOG_DIR} of the environment {env or 'local'} is not set: where is the log of {application}?",
            hint="Name the log's path, or an environment that has the key: --env=prod.",
        )
    if split_scheme(folder)[0].partition(":")[0] not in ("", "file"):
        _open(env)
    return find_log(folder, application)


def find_log(folder: str, application: str) -> str:
    """Find an application's event log.

    Args:
        folder: spark.eventLog.dir.
        application: Its id.

    Raises:
        ConfigError: The folder cannot be read, or has none.
    """
    storage, own = storage_for(folder), re.compile(rf"{re.escape(application)}(?!\d)")
    try:
        names = {PurePosixPath(name).parts[0] for name in storage.files(folder) if own.search(name)}
    except (OSError, RankhammerError) as exc:
        raise ConfigError(f"{folder} cannot be read: {exc}", hint="Name the log's path.") from exc
    if not names:
        raise ConfigError(f"{folder} has no log of {application}.", hint="A run that has just ended may come later.")
    return f"{folder.rstrip('/')}/{max(names)}"


def summarize(application: str, properties: Mapping[str, str], env: str | None) -> str:
    """Say in one line what the doctor finds in a run that has just ended, and what to type.

    Args:
        application: Its id.
        properties: All Spark keys that it was submitted with.
        env: Kedro environment.
    """
    command = f"`rankhammer doctor log {application}{f' --env={env}' if env else ''}`"
    folder = properties.get(_LOG_DIR, "")
    if not folder or properties.get(_LOG_SWITCH, "false").lower() != "true":
        return "Doctor: the event log is off, so that nothing can be said of this run (docs/doctor/S21.md)."
    return summary_of(lambda: find_log(folder, application), command)


def summary_of(find: Callable[[], str], command: str) -> str:
    """Say in one line what the doctor finds in a log.

    Args:
        find: Returns the log's place.
        command: That says more.
    """
    try:
        found = _counts(find()) if _has_doctor() else ""
    except Exception as exc:  # noqa: BLE001 - a run that has ended well must not fail for want of a summary
        logger.debug("The doctor cannot read the log: %s", exc)
        found = ""
    return f"Doctor: {found}; {command} says more." if found else f"Doctor: {command} says what to change."


def _counts(place: str) -> str:
    """Count findings by severity; empty for a log that takes long to read."""
    from rankhammer_doctor.dynamic_rules import check_run
    from rankhammer_doctor.event_log import read_run
    from rankhammer_doctor.reports.text import summary_line
    from rankhammer_doctor.thresholds import defaults

    if sum(storage_for(place).sizes(place).values()) > _READ_AT_ONCE:
        return ""
    with tempfile.TemporaryDirectory(prefix="rankhammer-doctor-") as folder:
        return summary_line(check_run(read_run(str(_copy(place, Path(folder)))), defaults()), "nothing to change")


def _open(env: str | None) -> None:
    """Let the storage layer know the environment's filesystems."""
    session: Any = open_session({"env": env, "conf_source": None, "params": {}})
    with session:
        session.load_context()


def _copy(place: str, folder: Path) -> Path:
    """Copy a file, or the files of a rolling log, in parts."""
    storage = storage_for(place)
    target = folder / PurePosixPath(place).name
    found = storage.sizes(place)
    if not found:
        raise ConfigError(f"There is nothing at {place}.", hint="Name a file below spark.eventLog.dir.")
    for name, size in found.items():
        file = target / name if name else target
        file.parent.mkdir(parents=True, exist_ok=True)
        source = f"{place.rstrip('/')}/{name}" if name else place
        with file.open("wb") as written:
            for start in range(0, size, _PART):
                written.write(storage.read_range(source, start, min(_PART, size - start)))
    return target
