"""Settings for a cluster of which only the shape is known."""

from __future__ import annotations

import pytest

from rankhammer_doctor.findings import Severity
from rankhammer_doctor.static_rules import check_conf
from rankhammer_doctor.static_rules.proposal import proposed
from rankhammer_doctor.static_rules.shape import ClusterShape
from rankhammer_doctor.units import GIB, MIB, parse_bytes

YARN = {"spark.master": "yarn", "spark.eventLog.enabled": "true", "spark.eventLog.dir": "hdfs:///logs"}
NODES = [(2, 16, 4), (3, 32, 8), (10, 128, 16), (1, 8, 4), (20, 384, 96), (5, 244, 32)]


def shape(nodes: int, memory_gb: int, cores: int) -> ClusterShape:
    given = {"nodes": nodes, "node_memory": memory_gb * GIB, "yarn_vcores": cores, "min_allocation": 32 * MIB}
    return ClusterShape(**given, yarn_memory=memory_gb * GIB * 3 // 4)


@pytest.mark.parametrize(("nodes", "memory_gb", "cores"), NODES)
@pytest.mark.parametrize("is_python", [True, False])
def test_executors_fill_a_node_and_the_rules_have_nothing_against_them(nodes, memory_gb, cores, is_python):
    cluster = shape(nodes, memory_gb, cores)
    keys = proposed(cluster, YARN, is_python=is_python)
    size = parse_bytes(keys["spark.executor.memory"]) + parse_bytes(keys["spark.executor.memoryOverhead"])
    count = cores // int(keys["spark.executor.cores"])
    left = cluster.yarn_memory - count * size
    # Room for the application master, and less than half an executor beside it.
    assert GIB <= left < GIB + max(size, GIB) / 2
    assert not [one for one in check_conf({**YARN, **keys}, cluster) if one.severity > Severity.INFO]


def test_what_is_set_is_not_proposed():
    own = {**YARN, "spark.executor.cores": "2"}
    assert "spark.executor.cores" not in proposed(shape(2, 16, 4), own)


@pytest.mark.parametrize(
    "cluster",
    [ClusterShape(), ClusterShape(nodes=3, yarn_memory=8 * GIB), shape(1, 1, 1)],
    ids=["none", "half", "tiny"],
)
def test_a_shape_that_says_too_little_or_has_no_room_gets_no_proposal(cluster):
    assert proposed(cluster, YARN) == {}
