"""One submission, from the first file to the exit code."""

from __future__ import annotations

import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer import java, spark
from rankhammer.cluster import following, secrets, submission
from rankhammer.cluster.yarn_client import YarnClient
from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.cluster.following import Progress
    from rankhammer.cluster.resource_manager import ResourceManager
    from rankhammer.cluster.settings import SubmitSettings
    from rankhammer.cluster.submission import Submission

INTERRUPTED = 130
_FOUND_WITHIN_S = 30


class Submitting:
    """Starts a submission, watches it, and cleans up after it."""

    def __init__(
        self,
        manager: ResourceManager,
        settings: SubmitSettings,
        *,
        told: Callable[[str], None],
        watched: Callable[[Progress], None],
        may_kill: Callable[[str], bool],
    ) -> None:
        """Do nothing yet.

        Args:
            manager: Who is asked for the application's state.
            settings: Of cluster.yml.
            told: Called with each line for the user.
            watched: Called with each new state.
            may_kill: Asked with the application's id when the user interrupts.
        """
        self._manager, self._settings = manager, settings
        self._told, self._watched, self._may_kill = told, watched, may_kill
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

    def _with_keys(self, planned: Submission) -> Submission:
        self._key_store = secrets.store(self._jvm, self._conf, planned.tag)
        if not self._key_store:
            return planned
        variable = f"spark.yarn.appMasterEnv.{secrets.STORE_VARIABLE}"
        keys = {secrets.PATH_KEY: secrets.provider_path(self._key_store), variable: self._key_store}
        return replace(planned, properties={**planned.properties, **keys}, key_store=self._key_store)

    def _run(self, planned: Submission, *, is_detached: bool) -> int:
        try:
            self._start(planned, is_quiet=True)
            application = self._application = self._find(planned.tag)
            self._told(f"{application}: {self._tracking(application)}")
            if is_detached:
                return 0
            ended = following.follow(self._manager, application, poll_s=self._settings.poll_s, told=self._watched)
        except KeyboardInterrupt:
            self._application = self._application or following.find(self._manager, planned.tag)
            return self._interrupted(self._application)
        return self._close(ended)

    def _interrupted(self, application: str | None) -> int:
        if application and self._may_kill(application):
            YarnClient(self._jvm, self._conf).kill(application)
            self._told(f"{application} is killed")
        elif application:
            self._told(f"{application} runs on; end it with `yarn application -kill {application}`")
        return INTERRUPTED

    def _tracking(self, application: str) -> str:
        """Return the address of an application's page; until YARN gives it one, that of the ResourceManager's."""
        found = self._manager.application(application).get("trackingUrl")
        return str(found or f"{self._manager.addresses[0]}/cluster/app/{application}")

    def _forget_staging(self, planned: Submission) -> None:
        """Remove what Spark leaves of a driver that was killed, where the application has ended."""
        if not self._application or "spark.yarn.stagingDir" in planned.properties:
            return
        if self._manager.application(self._application)["state"] in following.ENDED:
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
            with log.open("wb") as out:
                sink: Any = out if is_quiet else None
                # Of its own session: Ctrl-C is for us to answer.
                process = subprocess.Popen(
                    planned.command(str(properties)),
                    env=planned.environ(),
                    stdout=sink,
                    stderr=sink,
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
            application = following.find(self._manager, tag)
            if application:
                return application
            time.sleep(0.5)
        hint = "Does the ResourceManager of yarn-site.xml belong to this cluster?"
        raise ClusterError(f"YARN knows no application with the tag {tag}.", hint=hint)

    def _close(self, ended: Progress) -> int:
        for line in following.table(ended):
            self._told(line)
        self._told(f"{ended.application} ended: {ended.final} after {ended.seconds:.0f} s")
        if ended.exit_code:
            self._tell_why(ended)
        return ended.exit_code

    def _tell_why(self, ended: Progress) -> None:
        if ended.diagnostics:
            # YARN repeats a container's last words here, and the driver's log follows.
            self._told(f"YARN says: {ended.diagnostics.splitlines()[0]}")
        drivers = [container for container in ended.containers.values() if container.role == "driver"]
        if not drivers:
            return
        last = max(drivers, key=lambda container: container.name)
        lines = following.tail(YarnClient(self._jvm, self._conf).log(ended, last), self._settings.log_lines)
        self._told(f"End of the driver's log ({last.name}):" if lines else f"The driver's log: {last.log}")
        for line in lines:
            self._told(f"  {line}")


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
