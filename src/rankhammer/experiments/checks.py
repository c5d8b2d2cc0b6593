"""Whether a cluster can hold an experiment at all; asked before anything is submitted, with the arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from rankhammer.errors import ClusterError
from rankhammer.experiments.on_yarn import DRIVER_MB, DRIVER_OVERHEAD_MB
from rankhammer.yarn import limits
from rankhammer.yarn.probe import first_line

if TYPE_CHECKING:
    from collections.abc import Collection

    from rankhammer.experiments.roles import Experiment, Role
    from rankhammer.yarn.limits import Limits
    from rankhammer.yarn.resource_manager import ResourceManager

_GPU = "yarn.io/gpu"
_QUICK = {"ipc.client.connect.max.retries": "1", "ipc.client.connect.timeout": "5000"}
"""A filesystem that is not there is noticed in seconds."""


def require_room(experiment: Experiment, manager: ResourceManager) -> list[str]:
    """Refuse roles that the cluster can never run at one time.

    Args:
        experiment: With its roles.
        manager: Of the cluster.

    Returns:
        The arithmetic, a line a role.

    Raises:
        ClusterError: A queue or label is unknown, a container is larger than the largest, a GPU type is missing, or all
            roles together are more than the cluster has.
    """
    lines, asked = [], dict[str | None, list[tuple[str, int, int]]]()
    for name, role in experiment.roles.items():
        found = limits.read(manager, queue=role.queue or experiment.queue, node_label=role.label)
        lines.append(_require_container(name, role, found))
        _require_gpus(name, role, manager)
        asked.setdefault(role.label, []).append((name, *_wanted(role, found)))
    for label, roles in asked.items():
        _require_all(experiment, label, roles, manager)
    return lines


def require_rights(experiment: Experiment, allowed: Collection[str], default: str | None) -> None:
    """Refuse queues that this user may not submit to.

    Args:
        experiment: With its roles.
        allowed: Names of the queues that the user may submit to.
        default: Queue of the cluster's settings; None for `default`.

    Raises:
        ClusterError: One is not among them.
    """
    for name, role in experiment.roles.items():
        queue = (role.queue or experiment.queue or default or "default").rpartition(".")[2]
        if queue not in allowed:
            raise ClusterError(
                f"{name}: you may not submit to the queue {queue!r}.",
                hint=f"You may to {', '.join(sorted(allowed)) or 'none'}; acl_submit_applications of YARN says so.",
            )


def require_name_nodes(experiment: Experiment, jvm: Any, conf: Any) -> None:
    """Refuse further filesystems that do not answer, or give no token.

    Args:
        experiment: With their addresses.
        jvm: py4j's view of a JVM with Hadoop's client.
        conf: Its Hadoop configuration.

    Raises:
        ClusterError: One does not.
    """
    quick = jvm.org.apache.hadoop.conf.Configuration(conf)
    for key, value in _QUICK.items():
        quick.set(key, value)
    for uri in experiment.name_nodes:
        try:
            filesystem = jvm.org.apache.hadoop.fs.FileSystem.newInstance(jvm.java.net.URI(uri), quick)
            try:
                filesystem.getStatus()
                filesystem.addDelegationTokens("yarn", jvm.org.apache.hadoop.security.Credentials())
            finally:
                filesystem.close()
        except (Py4JJavaError, PySparkException) as exc:
            raise ClusterError(
                f"name_nodes: {uri} does not answer: {first_line(exc)}.",
                hint="Write addresses as in hdfs://archive:8020, and leave out what is not there.",
            ) from exc


def _wanted(role: Role, found: Limits) -> tuple[int, int]:
    """Return (MB, cores) of all containers of a role, the driver's among them."""
    driver = found.rounded(DRIVER_MB + DRIVER_OVERHEAD_MB)
    return driver + role.instances * found.rounded(role.memory_mb), 1 + role.instances * role.vcores


def _require_container(name: str, role: Role, found: Limits) -> str:
    size = found.rounded(role.memory_mb)
    if size > found.max_container_mb:
        asked = f"{name}: an instance asks for {role.memory_mb} MB, rounded to {size}"
        raise ClusterError(
            f"{asked}, and the largest container is {found.max_container_mb} MB.", hint="Lower memory_mb of that role."
        )
    if role.vcores > found.max_container_cores:
        raise ClusterError(
            f"{name}: an instance asks for {role.vcores} cores, and a container gets {found.max_container_cores}.",
            hint="Lower vcores of that role.",
        )
    by_nodes = found.containers(size, role.vcores)
    if by_nodes < role.instances:
        raise ClusterError(
            f"{name}: {role.instances} instances of {size} MB and {role.vcores} cores are asked for, and the nodes "
            f"hold {by_nodes} when they are empty.",
            hint="Ask for fewer or smaller instances: all of a role start together.",
        )
    return f"{name}: {role.instances} x {size} MB, {role.vcores} cores; the empty nodes hold {by_nodes}"


def _require_gpus(name: str, role: Role, manager: ResourceManager) -> None:
    if not role.gpus:
        return
    found = manager.resource_types()
    if _GPU not in found:
        raise ClusterError(
            f"{name}: {role.gpus} GPUs are asked for, and the cluster knows no {_GPU} (it knows {', '.join(found)}).",
            hint="Ask for a node label with GPUs instead, or let YARN's resource types name them.",
        )


def _require_all(
    experiment: Experiment, label: str | None, roles: list[tuple[str, int, int]], manager: ResourceManager
) -> None:
    found = limits.read(manager, queue=experiment.queue, node_label=label)
    wanted_mb, room_mb = sum(mb for _, mb, _ in roles), int(found.memory_mb * found.queue_share)
    wanted_cores = sum(cores for _, _, cores in roles)
    if wanted_mb <= room_mb and wanted_cores <= found.queue_cores:
        return
    sums = " + ".join(f"{name} {mb} MB" for name, mb, _ in roles)
    raise ClusterError(
        f"All roles together ask for {sums} = {wanted_mb} MB and {wanted_cores} cores, drivers included; the queue "
        f"{found.queue} has {found.memory_mb} MB x {found.queue_share:.2f} = {room_mb} MB, "
        f"and {found.queue_cores} cores.",
        hint="Ask for fewer or smaller instances: what trains together has to run at one time.",
    )
