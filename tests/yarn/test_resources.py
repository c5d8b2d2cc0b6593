"""What a run asks of a cluster: worked out from its size, and never more than the cluster grants."""

from __future__ import annotations

import pytest

from rankhammer.errors import ClusterError, ConfigError
from rankhammer.runs import doctor_inputs
from rankhammer.yarn.limits import Limits
from rankhammer.yarn.resource_manager import WorkerNode
from rankhammer.yarn.resources import (
    AM_MB,
    Matrix,
    ResourceSettings,
    profile_for,
    spark_settings,
    training_overhead_mb,
    work_out,
)
from rankhammer.yarn.settings import read_settings

SMALL = {"instances": 2, "cores": 1, "memory_mb": 1000, "overhead_mb": 1000}
LARGE = {"instances": 8, "cores": 4, "memory_mb": 4000, "overhead_mb": 4000}


def settings(**changes) -> ResourceSettings:
    return ResourceSettings.model_validate({"profiles": {"small": SMALL, "large": LARGE}, "max_share": 1.0} | changes)


def limits(n_nodes: int = 2, memory_mb: int = 16_000, cores: int = 8, **changes) -> Limits:
    nodes = tuple(WorkerNode(f"n{i}", memory_mb, cores, 0, 0, ()) for i in range(n_nodes))
    given = {"queue": "default", "queue_share": 1.0, "max_container_mb": memory_mb, "max_container_cores": cores}
    return Limits(**({"nodes": nodes} | given | {"step_mb": 1} | changes))


def ask(wanted: ResourceSettings, found: Limits, *, is_training=False, driver_in_cluster=False, matrix=None):
    return work_out(wanted, found, is_training=is_training, driver_in_cluster=driver_in_cluster, matrix=matrix)


def test_auto_takes_the_largest_profile_that_fits():
    assert ask(settings(), limits()).name == "large"
    assert ask(settings(), limits(memory_mb=7000)).name == "small"


def test_a_run_never_takes_more_than_its_share():
    got = ask(settings(profile="large", max_share=0.75), limits(n_nodes=4))
    assert got.profile.instances == (64_000 * 3 // 4 - AM_MB) // 8000 == 5


def test_no_container_stands_on_two_nodes():
    got = ask(settings(profile="large"), limits(n_nodes=4, memory_mb=12_000))
    assert got.profile.instances == 4


def test_cores_limit_executors_as_memory_does():
    got = ask(settings(profile="large"), limits(n_nodes=2, memory_mb=100_000, cores=4))
    assert got.profile.instances == 2


def test_a_queue_that_may_not_grow_is_a_limit():
    got = ask(settings(profile="small"), limits(queue_share=0.25, n_nodes=1, memory_mb=20_000))
    assert got.profile.instances == 2
    with pytest.raises(ClusterError, match=r"16000 MB x 0\.25 - 896 for the application master = 3104: 1 executors"):
        ask(settings(profile="small"), limits(queue_share=0.25, n_nodes=1))


@pytest.mark.parametrize(("counts_cores", "cores", "executors"), [(True, 64, 16), (None, 64, 16), (False, 128, 27)])
def test_a_queue_shares_cores_where_yarn_counts_them(counts_cores, cores, executors):
    # Half of 8 nodes: 64 cores, and 27 containers of 8000 MB with the application master.
    found = limits(n_nodes=8, memory_mb=54_500, cores=16, queue_share=0.5, counts_cores=counts_cores)
    got = ask(settings(profile="large", profiles={"large": LARGE | {"instances": 32}}), found)
    assert (found.queue_cores, got.profile.instances) == (cores, executors)
    assert ("by the queue's 64 cores" in got.arithmetic[-1]) is (executors == 16)
    granted = doctor_inputs.shape_of_limits(found)
    assert granted.granted_cores == found.queue_cores
    assert granted.granted_memory == int(found.memory_mb * found.queue_share) << 20


def test_nodes_of_several_sizes_are_all_granted():
    nodes = tuple(
        WorkerNode(f"n{i}", memory_mb, cores, 0, 0, ())
        for i, (memory_mb, cores) in enumerate([(8000, 4), (64_000, 32)])
    )
    found = limits(nodes=nodes)
    granted = doctor_inputs.shape_of_limits(found)
    assert (
        (granted.granted_cores, granted.granted_memory)
        == (found.queue_cores, found.memory_mb << 20)
        == (36, 72_000 << 20)
    )


def test_a_container_too_large_is_refused_with_the_arithmetic():
    with pytest.raises(ClusterError, match="an executor is 4000 \\+ 4000 MB, rounded to 8192, and the largest"):
        ask(settings(profile="large"), limits(memory_mb=6000, step_mb=1024))


def test_too_many_cores_are_refused():
    with pytest.raises(ClusterError, match="4 cores, and a container gets 2"):
        ask(settings(profile="large"), limits(max_container_cores=2))


def test_training_gives_a_task_all_cores_and_nothing_else_does():
    assert ask(settings(profile="large"), limits()).task_cpus == 1
    training = ask(settings(profile="large"), limits(n_nodes=5), is_training=True)
    assert training.task_cpus == 4
    assert training.slots == training.profile.instances == 8
    assert ask(settings(profile="large", train_task_cpus=2), limits(), is_training=True).task_cpus == 2


def test_training_gets_the_memory_that_its_matrix_takes():
    matrix = Matrix(n_rows=2**20, n_features=100)
    assert training_overhead_mb(matrix, tasks=2) == 384 + 2 * (300 + 3 * 400)
    asked = ask(settings(profile="small"), limits(), is_training=True, matrix=matrix)
    assert asked.profile.overhead_mb == 384 + 300 + 3 * 400
    assert "3 x 1,048,576 rows x 100 features x 4 bytes" in asked.arithmetic[0]
    assert ask(settings(profile="small"), limits(), is_training=True, matrix=Matrix(10, 10)).profile.overhead_mb == 1000


def test_the_driver_counts_where_yarn_runs_it():
    inside = ask(settings(profile="small"), limits(), driver_in_cluster=True)
    assert inside.master_mb == 2048 + 1024
    assert inside.master == "driver"


def test_dynamic_allocation_tracks_shuffles_and_is_bounded():
    keys = spark_settings(ask(settings(profile="small"), limits()), settings(profile="small"))
    assert keys["spark.dynamicAllocation.shuffleTracking.enabled"] == "true"
    assert keys["spark.dynamicAllocation.maxExecutors"] == "2"
    fixed = settings(profile="small", dynamic_allocation={"enabled": False})
    assert spark_settings(ask(fixed, limits()), fixed)["spark.executor.instances"] == "2"


def test_java_options_of_a_profile_reach_its_executors_alone():
    short = settings(profile="small", profiles={"small": SMALL | {"java_options": "-XX:+UseSerialGC"}})
    assert spark_settings(ask(short, limits()), short)["spark.executor.extraJavaOptions"] == "-XX:+UseSerialGC"
    assert not [key for key in spark_settings(ask(settings(), limits()), settings()) if "JavaOptions" in key]


def test_queue_label_and_gpus_reach_spark():
    wanted = settings(profile="small", queue="root.ranking", node_label="fast", gpus=1)
    keys = spark_settings(ask(wanted, limits()), wanted)
    assert keys["spark.yarn.queue"] == "root.ranking"
    assert keys["spark.yarn.am.nodeLabelExpression"] == keys["spark.yarn.executor.nodeLabelExpression"] == "fast"
    assert keys["spark.executor.resource.gpu.amount"] == "1"


def test_rules_give_corpora_to_profiles_by_size():
    ruled = settings(rules=[{"max_rows": 100, "profile": "small"}, {"profile": "large"}])
    assert [profile_for(n, ruled) for n in (100, 101)] == ["small", "large"]


def test_an_unknown_profile_is_named():
    with pytest.raises(ConfigError, match=r"(?s)unknown profile 'smal'.*Did you mean 'small'"):
        read_settings({"resources": {"profile": "smal", "profiles": {"small": SMALL}}})
