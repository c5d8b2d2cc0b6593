"""Metrics of experiments as a plot."""

from __future__ import annotations

import json

import pytest
from kedro.io import DatasetError

from rankhammer.datasets.experiment_metrics import ExperimentMetricsDataset
from rankhammer.pipelines.experiment_report.nodes import draw_metrics
from rankhammer.pipelines.experiment_report.params import ExperimentReportParams

OLDER = {"time": 1.0, "metrics": {"loss": {"chief-0": [[1, 0.75]]}}}
NEWER = {"time": 2.0, "metrics": {"loss": {"chief-0": [[1, 0.5], [2, 0.25]]}, "ndcg": {"evaluator-0": [[2, 0.9]]}}}


def test_the_newest_experiment_is_drawn_and_older_ones_can_be_chosen():
    found = {"experiments": {"zeroth-0": {**OLDER, "time": 0.0}, "first-1": OLDER, "second-2": NEWER}}
    figure = draw_metrics(found, ExperimentReportParams(n_experiments=2))
    assert figure.layout.title.text.endswith("Metrics of second-2")
    drawn = {trace.name: (list(trace.y), trace.visible) for trace in figure.data}
    assert drawn == {
        "loss (chief-0)": ([0.5, 0.25], None),
        "ndcg (evaluator-0)": ([0.9], None),
        "loss (chief-0, first-1)": ([0.75], "legendonly"),
    }


def test_without_an_experiment_the_report_says_what_to_do(tmp_path):
    file = tmp_path / "history_experiments.json"
    with pytest.raises(DatasetError, match="No experiment has left metrics"):
        ExperimentMetricsDataset(filepath=str(file)).load()
    file.write_text(json.dumps({"experiments": {"first-1": OLDER}}))
    assert list(ExperimentMetricsDataset(filepath=str(file)).load()["experiments"]) == ["first-1"]
