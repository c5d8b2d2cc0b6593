"""What YARN's own client does and its REST interface does not, or not for everybody: ending, and reading logs."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from rankhammer.cluster.following import Container, Progress

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
            ClusterError: It is somebody else's, or YARN does not answer.
        """
        from py4j.protocol import Py4JJavaError

        client = self._yarn.client.api.YarnClient.createYarnClient()
        client.init(self._conf)
        client.start()
        try:
            client.killApplication(self._id(application))
        except Py4JJavaError as exc:
            hint = f"yarn application -kill {application}"
            raise ClusterError(f"{application} was not killed: {exc.java_exception.toString()}", hint=hint) from exc
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
