"""What a cluster has and what a queue of it grants."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rankhammer.errors import ClusterError, did_you_mean
from rankhammer.yarn import hadoop_conf

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.yarn.resource_manager import Queue, ResourceManager, WorkerNode


@dataclass(frozen=True)
class Limits:
    """What can be asked for.

    Args:
        nodes: Those of the partition that is asked for.
        queue: Name of the queue.
        queue_share: Part of the cluster that the queue may grow to, 0..1.
        max_container_mb: Largest container.
        max_container_cores: Likewise.
        step_mb: Containers are rounded up to a multiple of it.
        counts_cores: Whether the queue's share is of cores, too; None where nobody says.
    """

    nodes: tuple[WorkerNode, ...]
    queue: str
    queue_share: float
    max_container_mb: int
    max_container_cores: int
    step_mb: int
    counts_cores: bool | None = None

    @property
    def memory_mb(self) -> int:
        """Memory of all nodes."""
        return sum(node.memory_mb for node in self.nodes)

    @property
    def cores(self) -> int:
        """Cores of all nodes."""
        return sum(node.cores for node in self.nodes)

    @property
    def queue_cores(self) -> int:
        """Cores that the queue may have.

        Its share is of memory alone under YARN's DefaultResourceCalculator, and of both under the
        DominantResourceCalculator. Where nobody says which one decides, an ask that fits both counts.
        """
        return self.cores if self.counts_cores is False else max(1, int(self.cores * self.queue_share))

    @property
    def free_mb(self) -> int:
        """Memory that no container has now."""
        return sum(node.memory_mb - node.used_memory_mb for node in self.nodes)

    def rounded(self, memory_mb: int) -> int:
        """Return the size of the container that YARN makes for so much memory."""
        return math.ceil(memory_mb / self.step_mb) * self.step_mb

    def containers(self, memory_mb: int, cores: int) -> int:
        """Return how many containers of a size the nodes hold when they are empty; none stands on two nodes."""
        return sum(min(node.memory_mb // memory_mb, node.cores // cores) for node in self.nodes)


def read(manager: ResourceManager, *, queue: str | None, node_label: str | None) -> Limits:
    """Ask the cluster.

    Args:
        manager: Its ResourceManager.
        queue: Name of a queue; None for `default`.
        node_label: Partition; None for the default one.

    Raises:
        ClusterError: There is no such queue, it takes no applications, or no node runs in that partition.
    """
    chosen = _queue(manager.queues(), queue)
    nodes = tuple(node for node in manager.nodes() if node.labels == ((node_label,) if node_label else ()))
    if not nodes:
        where = f"with the label {node_label!r}" if node_label else "without a label"
        raise ClusterError(f"No node {where} runs.", hint="`rankhammer probe` tells what does.")
    settings = hadoop_conf.read()
    step = int(settings.get("yarn.scheduler.minimum-allocation-mb", "1024"))
    return Limits(
        nodes=nodes,
        queue=chosen.name,
        queue_share=chosen.max_share,
        max_container_mb=min(max(node.memory_mb for node in nodes), chosen.max_container_mb or 2**31),
        max_container_cores=min(max(node.cores for node in nodes), chosen.max_container_cores or 2**31),
        step_mb=max(1, int(settings.get("yarn.scheduler.increment-allocation-mb", step))),
        counts_cores=counts_cores({**settings, **hadoop_conf.read_scheduler()}),
    )


def counts_cores(settings: Mapping[str, str]) -> bool | None:
    """Say whether queues share cores; the ResourceManager does not tell, only the scheduler's own file does.

    Args:
        settings: Of yarn-site.xml and capacity-scheduler.xml.
    """
    calculator = settings.get("yarn.scheduler.capacity.resource-calculator", "")
    return calculator.endswith("DominantResourceCalculator") if calculator else None


def _queue(queues: dict[str, Queue], name: str | None) -> Queue:
    wanted = (name or "default").rpartition(".")[2]
    found = queues.get(wanted)
    if found is None:
        raise ClusterError(f"YARN has no queue {wanted!r}.", hint=did_you_mean(wanted, set(queues)), queue=wanted)
    if not found.is_running:
        raise ClusterError(
            f"The queue {wanted!r} takes no applications now.", hint="Ask for another one.", queue=wanted
        )
    return found
