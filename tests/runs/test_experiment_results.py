"""Metrics of the newest experiments, as the dashboard reads them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from rankhammer.dashboard.results import EXPERIMENT_METRICS
from rankhammer.experiments.folder import ExperimentFolder
from rankhammer.experiments.roles import read_experiment
from rankhammer.runs import experiment_results


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Where they are kept; no Kedro project is needed to know."""
    file = tmp_path / "reporting" / "experiment_metrics.json"
    places = SimpleNamespace(places={EXPERIMENT_METRICS: str(file)})
    monkeypatch.setattr(experiment_results, "result_places", lambda _: places)
    return file


def ended(tmp_path, name, *rows):
    folder = ExperimentFolder(f"{tmp_path}/{name}")
    folder.write_spec(read_experiment({"function": "shop.models:train"}))
    folder.write("outcome.json", {"code": 0, "message": "done"})
    logged = ({"step": step, "metric": "loss", "value": value, "time": 1.0} for step, value in rows)
    if lines := "".join(f"{json.dumps(row)}\n" for row in logged):
        folder.storage.write(f"{folder.path}/files/metrics/chief-0/001-000001.jsonl", lines.encode())
    return folder


def test_each_experiments_metrics_are_kept_and_one_without_is_left_out(kept, tmp_path):
    experiment_results.keep_metrics(None, ended(tmp_path, "quiet"))
    assert not kept.exists()
    experiment_results.keep_metrics(None, ended(tmp_path, "first", (1, 0.5), (2, None)))
    experiment_results.keep_metrics(None, ended(tmp_path, "second", (1, 0.25)))
    found = json.loads(kept.read_bytes())["experiments"]
    assert {name: one["metrics"]["loss"] for name, one in found.items()} == {
        "first": {"chief-0": [[1, 0.5]]},
        "second": {"chief-0": [[1, 0.25]]},
    }
    assert (found["first"]["state"], found["first"]["function"]) == ("done", "shop.models:train")


def test_the_newest_stay(kept, tmp_path):
    for number in range(experiment_results.KEPT + 2):
        experiment_results.keep_metrics(None, ended(tmp_path, f"x{number}", (1, float(number))))
    found = json.loads(kept.read_bytes())["experiments"]
    assert sorted(found) == sorted(f"x{number}" for number in range(2, experiment_results.KEPT + 2))


def test_long_series_are_thinned_and_keep_their_last_point():
    rows = [{"metric": "loss", "instance": "chief-0", "step": step, "value": 1.0} for step in range(1, 2502)]
    points = experiment_results.series(rows)["loss"]["chief-0"]
    assert (len(points), points[-1][0], points[0][0]) == (834, 2501, 2)


def test_a_folder_that_takes_nothing_changes_nothing_about_an_experiment(kept, tmp_path, caplog):
    kept.parent.write_text("a file where a folder would be")
    experiment_results.keep_metrics(None, ended(tmp_path, "first", (1, 0.5)))
    assert "The dashboard has no metrics of" in caplog.text
