"""Runs experiments for the command line and for Python: reads the project's configuration, and says where they live."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer import spark
from rankhammer.errors import ConfigError, DataError, did_you_mean
from rankhammer.experiments import Experiment, Role, functions
from rankhammer.experiments.checks import require_name_nodes, require_rights, require_room
from rankhammer.experiments.coordinator import Coordinator
from rankhammer.experiments.driven import DETACHED
from rankhammer.experiments.folder import ExperimentFolder
from rankhammer.experiments.instance import FILES
from rankhammer.experiments.local import run_here
from rankhammer.experiments.packages import require_here
from rankhammer.experiments.roles import items_of, read_experiment
from rankhammer.runs.execute import cluster_settings, open_session, project_folder
from rankhammer.runs.experiment_results import keep_metrics
from rankhammer.spark import java
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.experiments.coordinator import View

__all__ = ["Experiment", "Role", "run_locally", "run_on_yarn"]
LOCAL_ROOT = "data/06_models/experiments"
_HOME = "experiments"


@dataclass(frozen=True)
class Submitted:
    """How an experiment is submitted.

    Args:
        env: Kedro environment that names the cluster.
        is_detached: Whether to leave it alone once YARN has accepted its groups.
        is_dry: Whether to say whether the cluster can run it, and to submit nothing.
        flags: Spark keys of every group; they win.
    """

    env: str | None
    is_detached: bool = False
    is_dry: bool = False
    flags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listener:
    """Whom a running experiment tells.

    Args:
        view: Called with what is known, at each look.
        line: Called with each line for the user.
    """

    view: Callable[[View], None] = lambda _: None
    line: Callable[[str], None] = lambda _: None


def run_on_yarn(
    function: str,
    roles: Mapping[str, Role],
    *,
    env: str | None = "prod",
    listener: Listener | None = None,
    is_detached: bool = False,
    **more: Any,
) -> int:
    """Run a function in several roles on the cluster of an environment.

    Args:
        function: package.module:function, or file.py:function.
        roles: By name.
        env: Kedro environment that names the cluster.
        listener: Whom it tells.
        is_detached: Whether to leave it alone once YARN has accepted its groups.
        **more: Further fields of `Experiment`, as retries=2.

    Returns:
        Exit code: 0, 1 where it failed, 130 where it was interrupted.

    Raises:
        ConfigError: A field is wrong.
        ClusterError: The cluster does not answer, or can never run this.
    """
    plain = {name: role.model_dump() for name, role in roles.items()}
    experiment = read_experiment({"function": function, "roles": plain, **more})
    how = Submitted(env, is_detached=is_detached)
    return start_on_yarn(experiment, name_of(function), how, listener=listener or Listener())


def run_locally(function: str, roles: Mapping[str, Role], *, listener: Listener | None = None, **more: Any) -> int:
    """Run a function in several roles as processes of this machine; else as `run_on_yarn`."""
    plain = {name: role.model_dump() for name, role in roles.items()}
    experiment = read_experiment({"function": function, "roles": plain, **more})
    return start_here(experiment, name_of(function), listener=listener or Listener())


def configured(name: str, env: str | None) -> dict[str, Any]:
    """Return an experiment of conf/<env>/experiments.yml, or that of a function.

    Args:
        name: Of the experiment, or the function itself.
        env: Kedro environment; None for the default one.

    Raises:
        ConfigError: There is no experiment of that name.
    """
    if ":" in name:
        return {"function": name}
    found = items_of(_conf(env), "experiments", named=True)
    if name not in found:
        hint = did_you_mean(name, set(found)) if found else "Name a function instead, as package.module:function."
        raise ConfigError(f"conf/<env>/experiments.yml has no experiment {name!r}.", hint=hint)
    return dict(items_of(found, name, named=True))


def name_of(function: str) -> str:
    """Return a name for the experiments of a function."""
    where, _, name = function.rpartition(":")
    return f"{Path(where).stem.rpartition('.')[2]}-{name}"


def start_here(experiment: Experiment, name: str, *, listener: Listener) -> int:
    """Run an experiment as processes of this machine."""
    _require_function(experiment)
    require_here(experiment)
    folder = _new_folder(str(project_folder() / LOCAL_ROOT), name)
    folder.write_spec(_with_own_files(experiment))
    _link_files(experiment, Path(folder.path))
    listener.line(f"Experiment {folder.path.rsplit('/', 1)[-1]}: {folder.path}")
    try:
        return run_here(folder, on_view=listener.view, on_line=listener.line)
    finally:
        keep_metrics(None, folder)


def start_on_yarn(experiment: Experiment, name: str, how: Submitted, *, listener: Listener) -> int:
    """Run an experiment on the cluster of an environment.

    Args:
        experiment: What runs.
        name: First part of its id.
        how: It is submitted.
        listener: Whom it tells.

    Returns:
        Exit code.

    Raises:
        ConfigError: It is detached and has retries, or its function is not there.
        ClusterError: The cluster does not answer, or can never run this.
    """
    from rankhammer.experiments.on_yarn import SparkKeys, YarnLauncher
    from rankhammer.yarn.resource_manager import ResourceManager
    from rankhammer.yarn.submitter import YarnClient
    from rankhammer.yarn.uploads import Uploads

    if how.is_detached and experiment.retries:
        hint = "Leave --detach or the retries out: nobody is there to start it again."
        raise ConfigError("A detached experiment has no retries.", hint=hint)
    _require_function(experiment)
    with_jvm()
    settings, keys = cluster_settings(how.env)
    for line in require_room(experiment, ResourceManager()):
        listener.line(line)
    require_rights(experiment, YarnClient(*spark.hadoop()).queues(), settings.resources.queue)
    require_name_nodes(experiment, *spark.hadoop())
    if how.is_dry:
        return 0
    uploads = Uploads(*spark.hadoop(), settings.runtime.root, listener.line)
    folder = _new_folder(root(how.env, uploads.home), name)
    folder.write_spec(experiment)
    listener.line(f"Experiment {folder.path.rsplit('/', 1)[-1]}: {folder.path}")
    of_spark = SparkKeys(keys, how.flags)
    launcher = YarnLauncher(
        folder, settings, of_spark, project=project_folder(), uploads=uploads, on_line=listener.line
    )
    coordinator = Coordinator(
        folder, launcher, on_view=listener.view, on_line=listener.line, poll_s=settings.submit.poll_s
    )
    if not how.is_detached:
        try:
            return coordinator.run()
        finally:
            keep_metrics(how.env, folder)
    folder.write(DETACHED, {})
    coordinator.start_detached()
    return 0


def with_jvm() -> None:
    """Let storage on the cluster be opened by a small JVM of this process's own."""
    small = {"spark.driver.memory": "256m", "spark.driver.extraJavaOptions": java.SHORT_LIVED}
    spark.configure(lambda: {"spark.master": "yarn", **small})


def root(env: str | None, home: str) -> str:
    """Return the folder with a folder for each experiment of an environment."""
    found = _conf(env).get("root") or f"{home}/.rankhammer/{_HOME}"
    if not isinstance(found, str):
        raise ConfigError(f"conf/<env>/experiments.yml: root is {found!r}, and not a path.", hint="root: hdfs:///...")
    return found.rstrip("/")


def find(experiment: str | None, *, env: str | None) -> ExperimentFolder:
    """Return the folder of an experiment.

    Args:
        experiment: Its id; None for the newest.
        env: Kedro environment with the cluster; None for this machine.

    Raises:
        DataError: There is none.
    """
    place = _root_of(env)
    names = listed(env=env)
    if not names or (experiment is not None and experiment not in names):
        what = f"no experiment {experiment!r}" if experiment else "no experiment"
        raise DataError(f"{place} holds {what}.", hint=did_you_mean(experiment or "", set(names)))
    return ExperimentFolder(f"{place}/{experiment or names[-1]}")


def listed(*, env: str | None) -> list[str]:
    """Return the ids of an environment's experiments, oldest first."""
    place = _root_of(env)
    found = [path.rstrip("/").rsplit("/", 2)[-2] for path in storage_for(place).glob(f"{place}/*/spec.json")]
    return sorted(found, key=lambda name: name.rsplit("-", 3)[-3:])


def _root_of(env: str | None) -> str:
    if env is None:
        return str(project_folder() / LOCAL_ROOT)
    with_jvm()
    jvm, conf = spark.hadoop()
    return root(env, str(jvm.org.apache.hadoop.fs.FileSystem.get(conf).getHomeDirectory().toString()))


def _new_folder(place: str, name: str) -> ExperimentFolder:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    # The name of an experiment may be any text, and stands in a path here.
    plain = re.sub(r"[^a-z0-9-]+", "-", name.lower()).strip("-")[:60] or "experiment"
    return ExperimentFolder(f"{place}/{plain}-{stamp}-{secrets.token_hex(2)}")


def _conf(env: str | None) -> Mapping[str, Any]:
    session = open_session({"env": env, "conf_source": None, "params": {}})
    with session:
        loader = session.load_context().config_loader
        found = dict(loader["experiments"])
    for key in found.keys() - {"root", "experiments"}:
        hint = did_you_mean(key, {"root", "experiments"})
        raise ConfigError(f"conf/<env>/experiments.yml: there is no key {key!r}.", hint=hint)
    return found


def _require_function(experiment: Experiment) -> None:
    """Refuse a function that is not there before anything starts; what only nodes have is found there."""
    for name in filter(None, (experiment.function, experiment.before)):
        if functions.is_file(name):
            functions.require_in_file(name)


def _link_files(experiment: Experiment, folder: Path) -> None:
    """Lay links to the experiment's files where its processes run, as they lie in a container's folder.

    Raises:
        ConfigError: One is no file.
    """
    for name, path in experiment.files.items():
        source = (project_folder() / path).resolve()
        if not source.is_file():
            raise ConfigError(f"files: {name} is {path}, which is no file.", hint="Name a file of this machine.")
        link = folder / FILES / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source)


def _with_own_files(experiment: Experiment) -> Experiment:
    """Let functions in files be found from wherever an instance's process runs."""
    paths = {
        key: f"{functions.source_file(name).resolve()}:{name.rpartition(':')[2]}"
        for key in ("function", "before")
        if (name := getattr(experiment, key)) and functions.is_file(name)
    }
    return experiment.model_copy(update=paths)
