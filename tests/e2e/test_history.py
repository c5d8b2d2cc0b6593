"""What a run leaves behind can be listed, compared and verified."""

from __future__ import annotations

import json


def test_a_run_stands_in_the_history_and_is_compared(warm_finished):
    listed = json.loads(warm_finished.rankhammer("runs", "--json"))
    first = listed[-1]
    assert (first["number"], first["state"]) == (1, "done")
    assert set(first["corpora"]) == {"stdlib", "network"}
    assert first["id"] in warm_finished.rankhammer("runs", "--limit=1000")
    found = json.loads(warm_finished.rankhammer("runs", "diff", "1", first["id"], "--json"))
    assert found["parameters"] == found["inputs"] == {}
    assert found["measured"]["training.stdlib.ndcg@10.ranker.mean"][0] == first["corpora"]["stdlib"]
    refused = warm_finished.rankhammer("runs", "diff", "1", "1000", expect=2)
    assert "Run '1000' is not in the history" in refused


def test_the_summary_says_which_run_each_stages_figures_are_of(finished_project):
    facts = finished_project[0].summary()
    assert {stage["run"] for stage in facts["by_stage"].values()} == {facts["run"]}
    assert facts["by_stage"]["ingestion"]["corpora"]["stdlib"]["n_serps"] == facts["corpora"]["stdlib"]["n_serps"]
