"""One launch of a script, from the first check to the cluster's end."""

from __future__ import annotations

import pytest
from launching import the_cluster, write


@pytest.mark.slow_start
def test_a_script_runs_and_the_cluster_is_gone(site):
    code, said = site.run("launch", "--script", write(site), "--", "7")
    assert code == 0, said + site.aws.node.log()
    cluster = the_cluster(site)
    assert cluster.seen == ["STARTING", "BOOTSTRAPPING", "RUNNING", "TERMINATING", "TERMINATED"]
    assert cluster.asked["Instances"]["KeepJobFlowAliveWhenNoSteps"] is False
    assert cluster.steps[0].asked["ActionOnFailure"] == "TERMINATE_CLUSTER"
    assert {tag["Key"] for tag in cluster.asked["Tags"]} == {
        "rankhammer",
        "launch",
        "owner",
        "ttl",
        "for-use-with-amazon-emr-managed-policies",
    }
    assert f"{cluster.id} RUNNING" in said
    assert f"{cluster.id} TERMINATED" in said
    assert "| counted 42" in said
    assert "Cost so far: 0.0" in said
