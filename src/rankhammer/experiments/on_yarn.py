"""Groups as submissions to YARN: one application a role, whose driver starts the instances as one barrier stage."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer import spark
from rankhammer.errors import ClusterError
from rankhammer.experiments import functions
from rankhammer.experiments.packages import pinned
from rankhammer.experiments.roles import HEAP_MB
from rankhammer.yarn import app_monitor, runtime
from rankhammer.yarn.extras import lock_of
from rankhammer.yarn.resource_manager import ResourceManager
from rankhammer.yarn.submission import CLUSTER, SubmissionSpec, prepare
from rankhammer.yarn.submitter import Submitting, YarnClient

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from rankhammer.experiments.folder import ExperimentFolder
    from rankhammer.experiments.group import GroupTask
    from rankhammer.experiments.roles import Experiment, Role
    from rankhammer.yarn.settings import ClusterSettings
    from rankhammer.yarn.submission import Submission
    from rankhammer.yarn.uploads import Uploads

DRIVER_MB, DRIVER_OVERHEAD_MB = 512, 384
"""Of the driver of a group: it holds no data."""
_LOOKS_MORE = 600
"""Spark's own looks for room, one a second, go on longer than ours: it would not name who is missing."""
COMMAND = ("experiment", "group")


def role_settings(experiment: Experiment, role: Role) -> dict[str, str]:
    """Return what a group asks YARN for, as flat Spark keys: one task an executor, all at once, never a second time.

    Args:
        experiment: That it belongs to.
        role: Of its instances.
    """
    keys = {
        "spark.executor.instances": role.instances,
        "spark.executor.cores": role.vcores,
        "spark.task.cpus": role.vcores,
        "spark.executor.memory": f"{HEAP_MB}m",
        "spark.executor.memoryOverhead": f"{role.memory_mb - HEAP_MB}m",
        "spark.driver.memory": f"{DRIVER_MB}m",
        "spark.driver.memoryOverhead": f"{DRIVER_OVERHEAD_MB}m",
        "spark.dynamicAllocation.enabled": "false",
        # A lost instance ends the stage, and the stage is not tried again: the whole starts again from a checkpoint.
        "spark.stage.maxConsecutiveAttempts": 1,
        "spark.task.maxFailures": 1,
        "spark.speculation": "false",
        # The driver is there at once, and counts the seconds that instances have to come.
        "spark.scheduler.minRegisteredResourcesRatio": "0",
        "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "1s",
        "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": f"{experiment.start_limit_s + _LOOKS_MORE:.0f}",
        "spark.acls.enable": "true",
        "spark.ui.view.acls": ",".join(experiment.viewers),
        "spark.kerberos.access.hadoopFileSystems": ",".join(experiment.name_nodes),
    }
    if role.queue or experiment.queue:
        keys["spark.yarn.queue"] = role.queue or experiment.queue or ""
    if role.label:
        keys |= {f"spark.yarn.{who}.nodeLabelExpression": role.label for who in ("am", "executor")}
    if role.gpus:
        keys |= {"spark.executor.resource.gpu.amount": role.gpus, "spark.task.resource.gpu.amount": role.gpus}
    return {key: str(value) for key, value in keys.items() if value != ""}


@dataclass
class YarnGroup:
    """A group that was submitted.

    Args:
        application: YARN's id.
        manager: Who is asked for it.
        submitting: That has submitted it.
    """

    application: str
    manager: ResourceManager
    submitting: Submitting

    def poll(self) -> str:
        """See `Group`."""
        found = self.manager.application(self.application)
        if found["state"] not in app_monitor.ENDED or found["finalStatus"] == "SUCCEEDED":
            return ""
        self.submitting.tell_why()
        return f"{self.application} has ended as {found['finalStatus']}"

    def has_ended(self) -> bool:
        """See `Group`."""
        return self.manager.application(self.application)["state"] in app_monitor.ENDED

    def kill(self) -> None:
        """See `Group`."""
        YarnClient(*spark.hadoop()).kill(self.application)


@dataclass(frozen=True)
class SparkKeys:
    """Spark settings of every group.

    Args:
        configured: Of spark.yml; what a role asks for wins.
        flags: Of the command line; they win.
    """

    configured: Mapping[str, str]
    flags: Mapping[str, str]


class YarnLauncher:
    """Starts groups on YARN."""

    def __init__(
        self,
        folder: ExperimentFolder,
        settings: ClusterSettings,
        keys: SparkKeys,
        *,
        project: Path,
        uploads: Uploads,
        on_line: Callable[[str], None],
    ) -> None:
        """Submit nothing yet.

        Args:
            folder: Of the experiment.
            settings: Of cluster.yml.
            keys: Spark settings of every group.
            project: Folder of the project.
            uploads: Where files are put.
            on_line: Called with a line for each step that takes time.
        """
        self._folder, self._settings, self._keys = folder, settings, keys
        self._project, self._uploads, self._on_line = project, uploads, on_line
        self._spec = folder.spec()
        self._manager = ResourceManager()
        self._there: dict[str, Mapping[str, str]] = {}
        self._submitted: list[tuple[Submitting, Submission]] = []
        self._lock = threading.Lock()

    def launch(self, task: GroupTask) -> YarnGroup:
        """See `Launcher`."""
        role = self._spec.roles[task.role]
        with self._lock:
            # All of them before the first group: it would wait for the others, and they for what is built here.
            for environment in dict.fromkeys(one.environment for one in self._spec.roles.values()):
                self._runtime(environment)
            planned = self._plan(task, role, self._there[role.environment])
        submitting = Submitting(
            self._manager, self._settings.submit, on_progress=self._on_line, watched=lambda _: None,
            may_kill=lambda _: True,
        )  # fmt: skip
        application = submitting.start(planned)
        self._submitted.append((submitting, planned))
        self._on_line(f"{task.role}: {application}")
        return YarnGroup(application, self._manager, submitting)

    def close(self) -> None:
        """See `Launcher`."""
        for submitting, planned in self._submitted:
            submitting.clean_up(planned)

    def _plan(self, task: GroupTask, role: Role, there: Mapping[str, str]) -> Submission:
        keys = {**self._keys.configured, **role_settings(self._spec, role)}
        arguments = (*COMMAND, self._folder.path, task.role, str(task.attempt), str(task.start))
        queue = keys.pop("spark.yarn.queue", self._settings.resources.queue)
        flags = {**({"spark.yarn.queue": queue} if queue else {}), **self._keys.flags}
        spec = SubmissionSpec(arguments, None, CLUSTER, keys, flags, is_run=False)
        # One driver, once: an experiment starts again as a whole.
        submit = self._settings.submit.model_copy(update={"max_attempts": 1})
        settings = self._settings.model_copy(update={"submit": submit})
        return prepare(spec, settings, self._uploads, project=self._project, on_progress=self._on_line, there=there)

    def _runtime(self, environment: str) -> None:
        """Put on the cluster what the nodes need, once for each environment."""
        if environment not in self._there:
            packages = (*self._spec.pip_packages, *(self._spec.pip_packages_gpu if environment == "gpu" else ()))
            extras = self._spec.extras
            lock, nodes = lock_of(self._project, extras), self._settings.python.of_nodes
            pins = pinned(packages, lock, self._on_line, nodes)
            if pins:
                self._folder.storage.write(f"{self._folder.path}/packages-{environment}.lock", pins.encode())
            python = self._settings.python.model_copy(update={"extras": extras})
            settings = self._settings.model_copy(update={"python": python})
            keys = runtime.yarn_settings(
                settings, self._uploads, project=self._project, on_progress=self._on_line, packages=pins
            )
            files = ",".join(f"{self._uploads.put(path)}#{name}" for name, path in _files(self._spec, self._project))
            self._there[environment] = runtime.merged(keys, {"spark.yarn.dist.files": files} if files else {})


def _files(experiment: Experiment, project: Path) -> list[tuple[str, Path]]:
    """Return (name in the container, file here) of all that travels along.

    Raises:
        ClusterError: One is no file.
    """
    named = [(name, project / path) for name, path in experiment.files.items()]
    own = [name for name in (experiment.function, experiment.before) if name and functions.is_file(name)]
    named += [(path.name, path) for path in dict.fromkeys(functions.source_file(name) for name in own)]
    for name, path in named:
        if not path.is_file():
            raise ClusterError(f"files: {name} is {path}, which is no file.", hint="Name a file of this machine.")
    return named
