"""Spark settings for a cluster of which only the shape is known: executors that fill its nodes, checked by rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer_doctor.memory import MIN_OVERHEAD
from rankhammer_doctor.static_rules.check import check_conf
from rankhammer_doctor.static_rules.fixes import settled
from rankhammer_doctor.thresholds import defaults
from rankhammer_doctor.units import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer_doctor.findings import Finding
    from rankhammer_doctor.static_rules.shape import ClusterShape

_MOST_CORES = 5
"""With more tasks in one JVM they wait for each other's garbage collection and for HDFS."""
_LEAST_HEAP_MIB = 512
_MASTER = GIB
"""Room on a node for the application master."""


def proposed(shape: ClusterShape, conf: Mapping[str, str] | None = None, *, is_python: bool = True) -> dict[str, str]:
    """Return the settings that fill a cluster's nodes, with what the rules have to say about them.

    Args:
        shape: Of the cluster: `yarn_memory` and `yarn_vcores` of a node at least.
        conf: Keys that are set anyway; none of them is proposed otherwise.
        is_python: Whether tasks run Python code, which needs memory beside the heap.

    Returns:
        Flat Spark keys beside those of `conf`; empty where the shape says too little, or nodes are too small.
    """
    given = dict(conf or {})
    sizes = _executor(shape, is_python=is_python)
    if not sizes:
        return {}

    def check(keys: Mapping[str, str]) -> list[Finding]:
        return check_conf(keys, shape, is_python=is_python)

    wanted = {key: value for key, value in sizes.items() if key not in given}
    changed = {change.key: change.value for change in settled({**given, **wanted}, check).changes}
    return {key: value for key, value in {**wanted, **changed}.items() if value is not None and key not in given}


def _executor(shape: ClusterShape, *, is_python: bool) -> dict[str, str]:
    if not shape.yarn_memory or not shape.yarn_vcores:
        return {}
    cores = _cores(shape.yarn_vcores)
    count = max(1, shape.yarn_vcores // cores)
    step = shape.min_allocation or 32 * MIB
    room = (shape.yarn_memory - _MASTER) // count // step * step // MIB
    python = cores * int(defaults()["S2"]["python_mb_per_core"]) if is_python else 0
    overhead = max(MIN_OVERHEAD // MIB + python, room // 10)
    heap = room - overhead
    if heap < _LEAST_HEAP_MIB:
        return {}
    return {
        "spark.executor.cores": str(cores),
        "spark.executor.memory": f"{heap}m",
        "spark.executor.memoryOverhead": f"{overhead}m",
    }


def _cores(vcores: int) -> int:
    """Return the cores of an executor of which a node has the most at work; of equal ones the larger."""
    most = min(_MOST_CORES, vcores)
    return max(range(max(1, most - 2), most + 1), key=lambda cores: (vcores // cores * cores, cores))
