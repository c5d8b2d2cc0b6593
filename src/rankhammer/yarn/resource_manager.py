"""YARN's ResourceManager, asked over its REST interface.

References:
    Apache Hadoop, "ResourceManager REST APIs" (Hadoop 3).
"""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ClusterError
from rankhammer.http_client.exchange import MIB, Connections, ExchangeError, ExchangeLimits
from rankhammer.yarn import hadoop_conf

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rankhammer.http_client.exchange import Reply

LIMITS = ExchangeLimits(timeout_s=15, max_bytes=64 * MIB)
_TRIES, _PAUSE_S = 2, 0.2
HINT = "Is YARN up, and do yarn.resourcemanager.webapp.address or .hostname in yarn-site.xml name it?"


@dataclass(frozen=True)
class WorkerNode:
    """A NodeManager that runs.

    Args:
        node_id: Its name within YARN, host:port.
        memory_mb: What it offers to containers.
        cores: Likewise.
        used_memory_mb: What containers have of it now.
        used_cores: Likewise.
        labels: Its partition; empty for the default one.
    """

    node_id: str
    memory_mb: int
    cores: int
    used_memory_mb: int
    used_cores: int
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Queue:
    """A leaf queue.

    Args:
        name: Its short name.
        is_running: Whether it takes applications.
        max_share: Part of the cluster that it may grow to, 0..1.
        max_container_mb: Largest container that it grants; None where the scheduler does not tell.
        max_container_cores: Likewise.
    """

    name: str
    is_running: bool
    max_share: float
    max_container_mb: int | None
    max_container_cores: int | None


class ResourceManager:
    """The ResourceManager of the cluster that HADOOP_CONF_DIR names; with several, the one that is active."""

    def __init__(self, addresses: list[str] | None = None) -> None:
        """Open nothing yet.

        Args:
            addresses: Base URLs, tried in turn; those of yarn-site.xml by default.

        Raises:
            ClusterError: There is no configuration of a cluster.
        """
        self.addresses = addresses or web_addresses(hadoop_conf.read())
        try:
            self._connections = {address: Connections(address, LIMITS) for address in self.addresses}
        except ExchangeError as exc:
            raise ClusterError(f"The ResourceManager cannot be asked: {exc.message}.", hint=HINT) from None

    def get(self, path: str) -> Any:
        """Read a resource below /ws/v1/cluster.

        Raises:
            ClusterError: No ResourceManager answers, or it refuses.
        """
        return self._ask("GET", path)

    def kill(self, application: str) -> None:
        """End an application."""
        self._ask("PUT", f"apps/{application}/state", {"state": "KILLED"})

    def version(self) -> str:
        """Return the version of YARN."""
        with reading("info"):
            return str(self.get("info")["clusterInfo"]["resourceManagerVersion"])

    def nodes(self) -> list[WorkerNode]:
        """Return the nodes that run, in name order."""
        with reading("nodes"):
            found = (self.get("nodes?states=running").get("nodes") or {}).get("node") or []
            return sorted((_node(row) for row in found), key=lambda node: node.node_id)

    def resource_types(self) -> list[str]:
        """Return the kinds of resource that nodes offer: memory-mb, vcores, and yarn.io/gpu where there are GPUs."""
        with reading("nodes"):
            found = (self.get("nodes?states=running").get("nodes") or {}).get("node") or []
            offered = (row.get("totalResource") or {} for row in found)
            listed = ((one.get("resourceInformations") or {}).get("resourceInformation") or [] for one in offered)
            return sorted({str(kind["name"]) for kinds in listed for kind in kinds})

    def queues(self) -> dict[str, Queue]:
        """Return the leaf queues by short name."""
        with reading("scheduler"):
            info = self.get("scheduler")["scheduler"]["schedulerInfo"]
            return {queue.name: queue for queue in map(_queue, _leaves(info.get("rootQueue", info)))}

    def application(self, application: str) -> dict[str, Any]:
        """Return what is known of an application: state, finalStatus, diagnostics, trackingUrl, ..."""
        with reading(f"apps/{application}"):
            return dict(self.get(f"apps/{application}")["app"])

    def attempts(self, application: str) -> list[dict[str, Any]]:
        """Return an application's attempts, oldest first."""
        with reading(f"apps/{application}/appattempts"):
            found = self.get(f"apps/{application}/appattempts")["appAttempts"]["appAttempt"]
            return sorted(found, key=lambda attempt: int(attempt["id"]))

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Ask each address in turn, the one that answered last first.

        One that stands by answers with a redirect to the active one, which is among them: it is not followed.
        """
        message = ""
        for address in self.addresses:
            try:
                answer = self._exchange(address, method, path, json.dumps(body).encode() if body else None)
            except ExchangeError as exc:
                message = f"{address}: {exc.message}"
                continue
            if answer.status < 300 and answer.content.lstrip()[:1] == b"{":
                self.addresses = [address, *(other for other in self.addresses if other != address)]
                with reading(path):
                    return json.loads(answer.content)
            message = f"{address} answers {answer.status} to {path}: {_said(answer.content)}"
        raise ClusterError(f"The ResourceManager cannot be asked: {message}.", hint=HINT)

    def _exchange(self, address: str, method: str, path: str, content: bytes | None) -> Reply:
        """Ask one, and again where it is interrupted: everything that is asked may be asked twice."""
        headers = {"accept": "application/json", "content-type": "application/json"}
        for left in reversed(range(_TRIES)):
            try:
                return self._connections[address].exchange(method, f"/ws/v1/cluster/{path}", content, headers)
            except ExchangeError as exc:
                if exc.is_permanent or not left:
                    raise
                time.sleep(_PAUSE_S)
        raise AssertionError


@contextmanager
def reading(path: str) -> Iterator[None]:
    """Take what goes wrong inside for an answer that is none of YARN's."""
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as exc:
        message = f"The ResourceManager answers something else than expected to {path} ({type(exc).__name__}: {exc})."
        raise ClusterError(message[:400], hint=HINT) from exc


def web_addresses(settings: Mapping[str, str]) -> list[str]:
    """Return the base URLs of all ResourceManagers.

    Args:
        settings: Of yarn-site.xml.

    Raises:
        ClusterError: None is named.
    """
    is_https = settings.get("yarn.http.policy") == "HTTPS_ONLY"
    scheme, key, port = ("https", "webapp.https.address", 8090) if is_https else ("http", "webapp.address", 8088)
    found = []
    for suffix in [
        f".{name.strip()}" for name in settings.get("yarn.resourcemanager.ha.rm-ids", "").split(",") if name
    ] or [""]:
        host = settings.get(f"yarn.resourcemanager.hostname{suffix}")
        address = settings.get(f"yarn.resourcemanager.{key}{suffix}") or (f"{host}:{port}" if host else "")
        found += [f"{scheme}://{address}"] if address else []
    if not found:
        raise ClusterError("yarn-site.xml names no ResourceManager.", hint=HINT)
    return found


def _node(row: Mapping[str, Any]) -> WorkerNode:
    used_mb, used_cores = int(row["usedMemoryMB"]), int(row["usedVirtualCores"])
    return WorkerNode(
        node_id=row["id"],
        memory_mb=used_mb + int(row["availMemoryMB"]),
        cores=used_cores + int(row["availableVirtualCores"]),
        used_memory_mb=used_mb,
        used_cores=used_cores,
        labels=tuple(row.get("nodeLabels") or ()),
    )


def _leaves(queue: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the queues below one that have none below themselves; the two schedulers nest them under two names."""
    inner = queue.get("queues") or queue.get("childQueues") or {}
    below = inner.get("queue") or []
    below = [below] if isinstance(below, dict) else below
    return [leaf for child in below for leaf in _leaves(child)] or [queue]


def _queue(row: Mapping[str, Any]) -> Queue:
    limits = _container_limits(row)
    return Queue(
        name=str(row["queueName"]).rpartition(".")[2],
        is_running=row.get("state", "RUNNING") == "RUNNING",
        max_share=float(row.get("absoluteMaxCapacity", 100.0)) / 100,
        max_container_mb=limits.get("memory-mb"),
        max_container_cores=limits.get("vcores"),
    )


def _container_limits(row: Mapping[str, Any]) -> dict[str, int]:
    partitions = (row.get("capacities") or {}).get("queueCapacitiesByPartition") or []
    for partition in partitions:
        message = (
            partition.get("configuredMaxResource", {}).get("resourceInformations", {}).get("resourceInformation", [])
        )
        if message:
            return {entry["name"]: int(entry["maximumAllocation"]) for entry in message}
    return {}


def _said(content: bytes) -> str:
    try:
        message = json.loads(content)["RemoteException"]["message"]
    except (ValueError, KeyError, TypeError, RecursionError):
        message = content.decode(errors="replace")
    return str(message).strip()[:300]
