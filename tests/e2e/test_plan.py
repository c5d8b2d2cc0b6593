"""`rankhammer plan` says what a run would do, what it would end with, and changes nothing."""

from __future__ import annotations

import json


def everything(folder) -> dict[str, tuple[int, int]]:
    found = [path for path in folder.rglob("*") if "__pycache__" not in path.parts]
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in found if path.is_file()}


def states(planned: dict, part: str) -> dict[str, str]:
    return {dataset["name"]: dataset["state"] for dataset in planned[part]}


def test_a_plan_tells_what_is_current_what_would_be_refused_and_writes_nothing(warm_finished, tmp_path):
    project = warm_finished.copy(tmp_path / "planned")
    before = everything(project.path / "data")
    planned = json.loads(project.rankhammer("plan", "--json", "--params", "folding.n_folds=4,corpora=stdlib"))
    assert planned["errors"] == []
    assert states(planned, "inputs")["click_log"] == "there"
    outputs = states(planned, "outputs")
    assert {"stale"} == {outputs["serps"], outputs["training_rows"], outputs["exported_model"]}
    assert set(planned["cost"]["stages"]) == set(planned["stages"])
    assert 0 < planned["cost"]["stages"]["training"]["rows"] < 1
    train = json.loads(project.rankhammer("plan", "--json", "--pipeline=train", "--params=corpora=stdlib"))
    assert states(train, "inputs")["feature_rows"] == "current"
    refused = project.rankhammer("plan", "--pipeline=train", "--params=labeling.min_examined=7", expect=2)
    assert "Error: Hand-off 'feature_rows'" in refused
    assert "judgments changed" in refused
    assert everything(project.path / "data") == before
