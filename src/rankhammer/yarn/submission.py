"""What spark-submit is told: files, settings and the command line of a run."""

from __future__ import annotations

import os
import shlex
import sys
import tempfile
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer import spark
from rankhammer.spark import class_archive, java
from rankhammer.yarn import node_classes, package, run_driver, runtime, secrets
from rankhammer.yarn.environment import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.yarn.settings import ClusterSettings
    from rankhammer.yarn.uploads import UploadTarget

CLUSTER, CLIENT = "cluster", "client"
PROJECT = "project"
"""Name of the unpacked configuration in the driver's container; `conf` is in it."""
TAG_KEY = "spark.yarn.tags"
_DRIVERS_JAVA = "spark.driver.extraJavaOptions"
_DRIVERS_CLASS_PATH = "spark.driver.extraClassPath"
_OF_THIS_MACHINE = ("spark.driver.host", "spark.driver.bindAddress", "spark.master", "spark.submit.deployMode")


@dataclass(frozen=True)
class SubmissionSpec:
    """What the user asked for.

    Args:
        arguments: Of `rankhammer run`, without --env and --conf-source; or a whole command line, see `is_run`.
        env: Kedro environment; None for the default one.
        deploy_mode: `cluster` or `client`.
        settings: Keys of spark.yml with what was worked out for the run.
        flags: Keys of --conf and --queue; they win.
        is_run: Whether `arguments` belong to `rankhammer run`, which gets the project's configuration.
    """

    arguments: tuple[str, ...]
    env: str | None
    deploy_mode: str
    settings: Mapping[str, str]
    flags: Mapping[str, str] = field(default_factory=dict)
    is_run: bool = True


@dataclass(frozen=True)
class Submission:
    """One call of spark-submit.

    Args:
        tag: Finds the application at the ResourceManager.
        properties: All Spark keys.
        script: URI or path of the driver's script.
        arguments: Of the script.
        deploy_mode: `cluster` or `client`.
        key_store: URI of the file with the keys of S3; empty without.
    """

    tag: str
    properties: Mapping[str, str]
    script: str
    arguments: tuple[str, ...]
    deploy_mode: str
    key_store: str = ""

    def command(self, properties_file: str) -> list[str]:
        """Return the command; everything but the run's own arguments is in the file."""
        how = ["--master", "yarn", "--deploy-mode", self.deploy_mode, "--properties-file", properties_file]
        return [_spark_submit(), *how, self.script, *self.arguments]

    def environ(self, given: Mapping[str, str] = os.environ) -> dict[str, str]:
        """Return the environment of the command."""
        python = self.properties.get("spark.executorEnv.PYSPARK_PYTHON", sys.executable)
        own = {"PYSPARK_PYTHON": python, "PYSPARK_DRIVER_PYTHON": sys.executable}
        if self.deploy_mode == CLIENT:
            return {**given, **own}
        # PYTHONPATH would be taken over to the nodes; what finds Spark is the Python that runs this.
        kept = {name: value for name, value in secrets.without_keys(given).items() if name != "PYTHONPATH"}
        fast = f"{java.SHORT_LIVED} {class_archive.options_for(java.provide())}".strip()
        return {"SPARK_SUBMIT_OPTS": fast, **kept, "PYSPARK_PYTHON": sys.executable}


def prepare(
    spec: SubmissionSpec,
    settings: ClusterSettings,
    target: UploadTarget,
    *,
    project: Path,
    on_progress: Callable[[str], None],
    there: Mapping[str, str] | None = None,
) -> Submission:
    """Put on the cluster what the run needs and is not there, and say how it is started.

    Args:
        spec: What the user asked for.
        settings: Of cluster.yml.
        target: Where files are put.
        project: Folder of the project.
        on_progress: Called with a line for each step that takes time.
        there: What `runtime.yarn_settings` returned for an earlier submission; None to put it there now.

    Raises:
        ClusterError: Something cannot be built or found.
    """
    tag = f"rankhammer-{uuid.uuid4().hex[:12]}"
    if there is None:
        there = runtime.yarn_settings(settings, target, project=project, on_progress=on_progress)
    keys = runtime.merged(spec.settings, there)
    env = ("--env", spec.env) if spec.env else ()
    arguments = ("run", *env, *spec.arguments) if spec.is_run else spec.arguments
    if spec.deploy_mode == CLUSTER:
        if spec.is_run:
            with tempfile.TemporaryDirectory(prefix="rankhammer-conf-") as folder:
                packed = target.put(package.build_conf(project / "conf", Path(folder, "conf.tar.gz")))
            keys = runtime.merged(keys, {"spark.yarn.dist.archives": f"{packed}#{PROJECT}"})
            arguments = (*arguments, "--conf-source", f"{PROJECT}/conf")
        keys = {**keys, **_cluster_keys(keys, settings)}
    script = _script()
    dropped = _OF_THIS_MACHINE if spec.deploy_mode == CLUSTER else (*_OF_THIS_MACHINE, _DRIVERS_CLASS_PATH)
    keys = {key: value for key, value in keys.items() if key not in dropped}
    keys |= {"spark.submit.deployMode": spec.deploy_mode, TAG_KEY: tag, **spec.flags}
    keys[spark.FLAGS_KEY] = ",".join(sorted(spec.flags))
    uri = target.put(script) if spec.deploy_mode == CLUSTER else str(script)
    return Submission(tag, keys, uri, arguments, spec.deploy_mode)


def write_properties(properties: Mapping[str, str], file: Path) -> None:
    """Write Spark keys as a file that only its owner reads."""
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.writelines(f"{key} {_escaped(value)}\n" for key, value in sorted(properties.items()))


def shown(submission: Submission) -> str:
    """Return a submission as text: the command, and the settings one per line."""
    command = shlex.join(submission.command("PROPERTIES"))
    lines = [f"{key} {value}" for key, value in sorted(submission.properties.items())]
    return "\n".join([command, "", "PROPERTIES:", *lines])


def _cluster_keys(keys: Mapping[str, str], settings: ClusterSettings) -> dict[str, str]:
    """Return what counts where YARN runs the driver."""
    classes = f"{node_classes.OPTIONS} " if _DRIVERS_CLASS_PATH in keys else ""
    logging = {_DRIVERS_JAVA: classes + runtime.with_logging(keys.get(_DRIVERS_JAVA, ""))}
    attempts = {"spark.yarn.maxAppAttempts": str(settings.submit.max_attempts)}
    return {"spark.yarn.submit.waitAppCompletion": "false", **attempts, **logging}


def _script() -> Path:
    """Write the driver's script into the cache, unless it is there."""
    file = cache_folder() / "driver" / "rankhammer_driver.py"
    if not file.is_file() or file.read_text() != run_driver.SCRIPT:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(run_driver.SCRIPT)
    return file


def _spark_submit() -> str:
    import pyspark

    return str(Path(pyspark.__file__).parent / "bin" / "spark-submit")


def _escaped(value: str) -> str:
    """Escape what Java's properties take for something else."""
    return value.replace("\\", "\\\\").replace("\n", "\\n")
