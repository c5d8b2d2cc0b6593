"""What a cluster is asked before an experiment is submitted; queues, sizes and labels are shown on a real one."""

from __future__ import annotations

import pytest

from rankhammer.errors import ClusterError
from rankhammer.experiments.checks import require_name_nodes, require_rights
from rankhammer.experiments.roles import read_experiment


def experiment(**changes):
    return read_experiment({"function": "shop.models:train", **changes})


def test_a_queue_that_the_user_may_not_submit_to_is_refused_with_those_that_he_may():
    roles = {"chief": {}, "worker": {"queue": "root.ltr"}}
    require_rights(experiment(roles=roles), {"default", "ltr"}, None)
    require_rights(experiment(roles=roles, queue="night"), {"night", "ltr"}, "default")
    with pytest.raises(ClusterError, match="worker: you may not submit to the queue 'ltr'") as caught:
        require_rights(experiment(roles=roles), {"default", "batch"}, None)
    assert "batch, default" in caught.value.hint


@pytest.mark.parametrize(
    "uri", ["hdfs://127.0.0.1:1", "nonsense://x", "no address at all", "hdfs://no-such-host.invalid"]
)
def test_a_filesystem_that_does_not_answer_is_named(spark, uri):
    context = spark.sparkContext
    with pytest.raises(ClusterError, match="does not answer") as caught:
        require_name_nodes(experiment(name_nodes=[uri]), context._jvm, context._jsc.hadoopConfiguration())
    assert uri in caught.value.message


def test_a_filesystem_that_answers_is_none_to_speak_of(spark):
    context = spark.sparkContext
    require_name_nodes(experiment(name_nodes=["file:///"]), context._jvm, context._jsc.hadoopConfiguration())
