"""YARN's ResourceManager, asked over its REST interface.

References:
    Apache Hadoop, "ResourceManager REST APIs" (Hadoop 3).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import urllib3

from rankhammer.cluster import hadoop_conf
from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

TIMEOUT = urllib3.Timeout(connect=5, read=20)
HINT = "Is YARN up, and do yarn.resourcemanager.webapp.address or .hostname in yarn-site.xml name it?"


@dataclass(frozen=True)
class Node:
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
        self._pool = urllib3.PoolManager(timeout=TIMEOUT, retries=urllib3.Retry(2, backoff_factor=0.2, redirect=3))

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
        return str(self.get("info")["clusterInfo"]["resourceManagerVersion"])

    def nodes(self) -> list[Node]:
        """Return the nodes that run, in name order."""
        found = (self.get("nodes?states=running").get("nodes") or {}).get("node") or []
        return sorted((_node(row) for row in found), key=lambda node: node.node_id)

    def queues(self) -> dict[str, Queue]:
        """Return the leaf queues by short name."""
        info = self.get("scheduler")["scheduler"]["schedulerInfo"]
        return {queue.name: queue for queue in map(_queue, _leaves(info.get("rootQueue", info)))}

    def application(self, application: str) -> dict[str, Any]:
        """Return what is known of an application: state, finalStatus, diagnostics, trackingUrl, ..."""
        return dict(self.get(f"apps/{application}")["app"])

    def attempts(self, application: str) -> list[dict[str, Any]]:
        """Return an application's attempts, oldest first."""
        found = self.get(f"apps/{application}/appattempts")["appAttempts"]["appAttempt"]
        return sorted(found, key=lambda attempt: int(attempt["id"]))

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        told = ""
        for address in self.addresses:
            try:
                answer = self._pool.request(
                    method,
                    f"{address}/ws/v1/cluster/{path}",
                    body=json.dumps(body) if body else None,
                    headers={"Accept": "application/json", "Content-Type": "application/json"},
                )
            except urllib3.exceptions.HTTPError as exc:
                told = f"{address}: {getattr(exc, 'reason', None) or exc}"
                continue
            if answer.status < 300 and answer.data.lstrip()[:1] == b"{":
                return json.loads(answer.data)
            told = f"{address} answers {answer.status} to {path}: {_said(answer.data)}"
        raise ClusterError(f"The ResourceManager cannot be asked: {told}.", hint=HINT)


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


def _node(row: Mapping[str, Any]) -> Node:
    used_mb, used_cores = int(row["usedMemoryMB"]), int(row["usedVirtualCores"])
    return Node(
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
        told = partition.get("configuredMaxResource", {}).get("resourceInformations", {}).get("resourceInformation", [])
        if told:
            return {entry["name"]: int(entry["maximumAllocation"]) for entry in told}
    return {}


def _said(content: bytes) -> str:
    try:
        told = json.loads(content)["RemoteException"]["message"]
    except (ValueError, KeyError, TypeError):
        told = content.decode(errors="replace")
    return str(told).strip()[:300]
