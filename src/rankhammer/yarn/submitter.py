"""One submission, from the first file to the exit code."""

from __future__ import annotations

import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer import spark
from rankhammer.errors import ClusterError
from rankhammer.exit_codes import INTERRUPTED
from rankhammer.spark import java, output
from rankhammer.yarn import app_monitor, secrets, submission

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rankhammer.yarn.app_monitor import Container, Progress
    from rankhammer.yarn.resource_manager import ResourceManager
    from rankhammer.yarn.settings import SubmitSettings
    from rankhammer.yarn.submission import Submission

_BYTES = 200_000
_AGGREGATED_WITHIN_S = 20


class YarnClient:
    """YARN by the JVM's client: as the user who submitted, also where Kerberos says who that is."""

    def __init__(self, jvm: Any, conf: Any) -> None:
        """Open nothing yet.

        Args:
            jvm: py4j's view of a JVM with Hadoop's client.
            conf: Its Hadoop configuration.
        """
        self._jvm, self._yarn = jvm, jvm.org.apache.hadoop.yarn
        self._conf = self._yarn.conf.YarnConfiguration(conf)

    def kill(self, application: str) -> None:
        """End an application.

        Raises:
            ClusterError: It is another user's, or YARN does not answer.
        """
        from py4j.protocol import Py4JJavaError

        with self._client() as client:
            try:
                client.killApplication(self._id(application))
            except Py4JJavaError as exc:
                hint = f"yarn application -kill {application}"
                raise ClusterError(f"{application} was not killed: {exc.java_exception.toString()}", hint=hint) from exc

    def queues(self) -> set[str]:
        """Return the queues that this user may submit to, without those above them.

        Raises:
            ClusterError: YARN does not answer.
        """
        from py4j.protocol import Py4JJavaError

        with self._client() as client:
            try:
                found = [
                    (str(one.getQueueName()), {str(right.name()) for right in one.getUserAcls()})
                    for one in client.getQueueAclsInfo()
                ]
            except Py4JJavaError as exc:
                hint = "`rankhammer probe` asks each part of the cluster."
                raise ClusterError(
                    f"YARN does not tell its queues: {exc.java_exception.toString()}", hint=hint
                ) from exc
        return {name.rpartition(".")[2] for name, rights in found if "SUBMIT_APPLICATIONS" in rights}

    @contextmanager
    def _client(self) -> Iterator[Any]:
        client = self._yarn.client.api.YarnClient.createYarnClient()
        client.init(self._conf)
        client.start()
        try:
            yield client
        finally:
            client.close()

    def log(self, progress: Progress, container: Container) -> str:
        """Read the end of a container's log, once YARN has gathered it.

        Args:
            progress: Of its application, which has ended.
            container: Which one.

        Returns:
            Standard output and standard error; empty where YARN does not gather logs.
        """
        end = time.monotonic() + _AGGREGATED_WITHIN_S
        while True:
            found = self._read(progress, container)
            if found or time.monotonic() > end:
                return found
            time.sleep(1)

    def _read(self, progress: Progress, container: Container) -> str:
        from py4j.protocol import Py4JJavaError

        gathered = self._yarn.logaggregation
        with tempfile.TemporaryDirectory(prefix="rankhammer-log-") as folder:
            reader = gathered.LogCLIHelpers()
            reader.setConf(self._conf)
            try:
                reader.dumpAContainerLogsForLogType(self._request(progress, container, folder), False)
            except Py4JJavaError:
                return ""
            files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
            return "\n".join(path.read_text(errors="replace") for path in files)

    def _request(self, progress: Progress, container: Container, folder: str) -> Any:
        request = self._yarn.logaggregation.ContainerLogsRequest()
        types = self._jvm.java.util.HashSet()
        for name in ("stdout", "stderr"):
            types.add(name)
        request.setAppId(self._id(progress.application))
        request.setContainerId(container.name)
        request.setNodeId(container.host)
        request.setAppOwner(progress.user)
        request.setAppFinished(True)
        request.setLogTypes(types)
        request.setBytes(-_BYTES)
        request.setOutputLocalDir(folder)
        return request

    def _id(self, application: str) -> Any:
        return self._yarn.api.records.ApplicationId.fromString(application)


_FOUND_WITHIN_S = 30
_KNOWN_WITHIN_S = 3600
"""A submission that YARN has not accepted within this time will not be; a ResourceManager that came back forgets."""


class Submitting:
    """Starts a submission, watches it, and cleans up after it."""

    def __init__(
        self,
        manager: ResourceManager,
        settings: SubmitSettings,
        *,
        on_progress: Callable[[str], None],
        watched: Callable[[Progress], None],
        may_kill: Callable[[str], bool],
    ) -> None:
        """Do nothing yet.

        Args:
            manager: Who is asked for the application's state.
            settings: Of cluster.yml.
            on_progress: Called with each line for the user.
            watched: Called with each new state.
            may_kill: Asked with the application's id when the user interrupts.
        """
        self._manager, self._settings = manager, settings
        self._on_progress, self._watched, self._may_kill = on_progress, watched, may_kill
        self._jvm, self._conf = spark.hadoop()
        self._key_store = ""
        self._application: str | None = None

    def run(self, planned: Submission, *, is_detached: bool) -> int:
        """Submit, and wait unless detached.

        Args:
            planned: What spark-submit is told.
            is_detached: Whether to leave the application alone once it is accepted.

        Returns:
            Exit code.
        """
        if planned.deploy_mode == submission.CLIENT:
            return self._start(planned, is_quiet=False)
        try:
            return self._run(self._with_keys(planned), is_detached=is_detached)
        finally:
            if not is_detached:
                secrets.forget(self._jvm, self._conf, self._key_store)
                self._forget_staging(planned)

    def start(self, planned: Submission) -> str:
        """Submit in cluster mode, and return the application's id once YARN has accepted it.

        Whoever calls this watches the application, and calls `clean_up` after its end.
        """
        planned = self._with_keys(planned)
        self._start(planned, is_quiet=True)
        self._application = self._find(planned.tag)
        return self._application

    def clean_up(self, planned: Submission) -> None:
        """Remove keys and what Spark leaves of a driver that was killed; for `start`."""
        secrets.forget(self._jvm, self._conf, self._key_store)
        self._forget_staging(planned)

    @property
    def application(self) -> str | None:
        """Id of the application that YARN has run; None where it is not known, as in client mode."""
        return self._application

    def _with_keys(self, planned: Submission) -> Submission:
        secrets.forget_left(self._jvm, self._conf, self._is_over)
        self._key_store = secrets.store(self._jvm, self._conf, planned.tag)
        if not self._key_store:
            return planned
        variable = f"spark.yarn.appMasterEnv.{secrets.STORE_VARIABLE}"
        keys = {secrets.PATH_KEY: secrets.provider_path(self._key_store), variable: self._key_store}
        return replace(planned, properties={**planned.properties, **keys}, key_store=self._key_store)

    def _is_over(self, tag: str, age_s: float) -> bool:
        """Say whether a submission has ended: YARN says so, or has not known it for longer than starting takes."""
        application = app_monitor.find(self._manager, tag)
        if application is None:
            return age_s > _KNOWN_WITHIN_S
        return self._manager.application(application)["state"] in app_monitor.ENDED

    def _run(self, planned: Submission, *, is_detached: bool) -> int:
        try:
            self._start(planned, is_quiet=True)
            application = self._application = self._find(planned.tag)
            self._on_progress(f"{application}: {self._tracking(application)}")
            if is_detached:
                return 0
            ended = app_monitor.follow(
                self._manager, application, poll_s=self._settings.poll_s, on_progress=self._watched
            )
        except KeyboardInterrupt:
            self._application = self._application or app_monitor.find(self._manager, planned.tag)
            return self._interrupted(self._application)
        return self._close(ended)

    def _interrupted(self, application: str | None) -> int:
        if application and self._may_kill(application):
            YarnClient(self._jvm, self._conf).kill(application)
            self._on_progress(f"{application} is killed")
        elif application:
            self._on_progress(f"{application} runs on; end it with `yarn application -kill {application}`")
        return INTERRUPTED

    def _tracking(self, application: str) -> str:
        """Return the address of an application's page; until YARN gives it one, that of the ResourceManager's."""
        found = self._manager.application(application).get("trackingUrl")
        return str(found or f"{self._manager.addresses[0]}/cluster/app/{application}")

    def _forget_staging(self, planned: Submission) -> None:
        """Remove what Spark leaves of a driver that was killed, where the application has ended."""
        if not self._application or "spark.yarn.stagingDir" in planned.properties:
            return
        if self._manager.application(self._application)["state"] in app_monitor.ENDED:
            hadoop = self._jvm.org.apache.hadoop.fs
            filesystem = hadoop.FileSystem.get(self._conf)
            folder = hadoop.Path(filesystem.getHomeDirectory(), f".sparkStaging/{self._application}")
            filesystem.delete(folder, True)

    def _start(self, planned: Submission, *, is_quiet: bool) -> int:
        """Run spark-submit; in cluster mode it ends when YARN has accepted the application."""
        java.provide()
        with tempfile.TemporaryDirectory(prefix="rankhammer-submit-") as folder:
            properties, log = Path(folder, "spark.properties"), Path(folder, "log")
            submission.write_properties(planned.properties, properties)
            with log.open("wb") as out, output.JvmErrors() as errors:
                sink: Any = out if is_quiet else None
                # Of its own session: Ctrl-C is for us to answer.
                process = subprocess.Popen(
                    planned.command(str(properties)),
                    env=planned.environ(),
                    stdout=sink,
                    stderr=out if is_quiet else errors.writing,
                    stdin=subprocess.DEVNULL,
                    start_new_session=is_quiet,
                )
                code = _wait(process)
            if code and is_quiet:
                raise ClusterError(_refusal(log.read_text(errors="replace")), hint="docs/cluster.md, Submitting.")
        return code

    def _find(self, tag: str) -> str:
        end = time.monotonic() + _FOUND_WITHIN_S
        while time.monotonic() < end:
            application = app_monitor.find(self._manager, tag)
            if application:
                return application
            time.sleep(0.5)
        hint = "Does the ResourceManager of yarn-site.xml belong to this cluster?"
        raise ClusterError(f"YARN knows no application with the tag {tag}.", hint=hint)

    def _close(self, ended: Progress) -> int:
        for line in app_monitor.table(ended):
            self._on_progress(line)
        self._on_progress(f"{ended.application} ended: {ended.final} after {ended.seconds:.0f} s")
        if ended.exit_code:
            self._tell_why(ended)
        return ended.exit_code

    def tell_why(self) -> None:
        """Say why the application has ended, by the end of its driver's log; for `start`."""
        if self._application:
            ended = app_monitor.Progress(self._application)
            app_monitor.update(ended, self._manager)
            self._tell_why(ended)

    def _tell_why(self, ended: Progress) -> None:
        if ended.diagnostics:
            # YARN repeats a container's last words here, and the driver's log follows.
            self._on_progress(f"YARN says: {ended.diagnostics.splitlines()[0]}")
        drivers = [container for container in ended.containers.values() if container.role == "driver"]
        if not drivers:
            return
        last = max(drivers, key=lambda container: container.name)
        lines = app_monitor.tail(YarnClient(self._jvm, self._conf).log(ended, last), self._settings.log_lines)
        self._on_progress(f"End of the driver's log ({last.name}):" if lines else f"The driver's log: {last.log}")
        for line in lines:
            self._on_progress(f"  {line}")


def _wait(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _refusal(log: str) -> str:
    """Find in spark-submit's log why nothing was submitted: the exception, or the last lines."""
    lines = [line for line in log.splitlines() if line.strip()]
    thrown = [line for line in lines if line.startswith(("Exception in thread", "Caused by"))]
    return "spark-submit failed: " + " ".join(thrown[:2] or lines[-5:])[:1000]
