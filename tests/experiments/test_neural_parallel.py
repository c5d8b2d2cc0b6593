"""The example of several processes that train one network: it meets, is measured beside, and comes to the same."""

from __future__ import annotations

import json
from pathlib import Path

from matrix_file import write_matrix

from rankhammer.experiments import Role
from rankhammer.experiments.folder import ExperimentFolder
from rankhammer.experiments.metrics_table import read_metrics
from rankhammer.neural_model import read_model
from rankhammer.runs import experimenting

EXAMPLE = Path(__file__).parents[2] / "examples" / "neural_parallel.py"


def test_two_processes_train_one_network_that_is_the_best_of_its_checkpoints(tmp_path, monkeypatch):
    monkeypatch.setattr(experimenting, "project_folder", lambda: tmp_path)
    # That file stands beside the history of a project's runs.
    monkeypatch.setattr(experimenting, "keep_metrics", lambda *_: None)
    code = experimenting.run_locally(
        f"{EXAMPLE}:train",
        {"chief": Role(), "worker": Role(), "evaluator": Role()},
        files={"matrix.parquet": str(write_matrix(tmp_path / "part-0.parquet"))},
        arguments={"rounds": 6, "width": 8, "members": 1, "batch_rows": 128},
    )
    assert code == 0
    (folder,) = (ExperimentFolder(str(path.parent)) for path in tmp_path.rglob("spec.json"))
    rows = read_metrics(folder)
    measured = {row["step"]: row["value"] for row in rows if row["metric"] == "ndcg"}
    best = json.loads(folder.storage.read(f"{folder.path}/files/results/best.json"))
    assert best["ndcg"] == max(measured.values()) > 0.8
    network = read_model(folder.storage.read(f"{folder.path}/files/results/model.json"))
    assert [one.feature for one in network.inputs] == ["match", "noise"]
    assert {row["step"] for row in rows if row["metric"] == "loss"} == {1, 2, 3, 4, 5, 6}
