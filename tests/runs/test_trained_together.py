"""Executors stay where several tasks train one model: decided before a session opens, by the sizes that are known."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rankhammer.pipelines.training.params import TrainingParams
from rankhammer.runs import submissions
from rankhammer.runs.trained_together import is_together, with_fixed_executors, workers_in
from rankhammer.yarn.resources import Matrix, Profile, ResourceRequest, ResourceSettings, spark_settings
from rankhammer.yarn.settings import ClusterSettings

CONF = Path(__file__).parents[2] / "conf" / "base" / "parameters"
THREE = {"number": 3, "from_rows": 1000}
AUTO = {"number": "auto", "from_rows": 1000}


@pytest.mark.parametrize(
    ("workers", "n_rows", "together"),
    [
        (THREE, 1000, True),
        (THREE, 999, False),
        (THREE, None, False),
        (AUTO, 1000, True),
        (AUTO, 999, False),
        ({"number": 1, "from_rows": 0}, 1000, False),
        ({"number": 3, "from_rows": 0}, None, True),
        ({"number": 3, "from_rows": "many"}, 1000, False),
        ({}, 1000, False),
    ],
)
def test_size_or_parameter_decides_whether_tasks_train_together(workers, n_rows, together):
    assert is_together(workers, n_rows) == together


def test_wrong_parameters_are_left_to_whoever_checks_them():
    assert workers_in({"training": {"workers": THREE}}) == THREE
    assert workers_in({"training": None}) == workers_in({"training": {"workers": 3}}) == workers_in({}) == {}


def test_parameters_are_read_as_a_run_gives_them():
    written = yaml.safe_load((CONF / "training.yml").read_text())["training"] | {"workers": THREE}
    assert workers_in({"training": TrainingParams.model_validate(written)}) == THREE


def test_executors_stay_where_the_largest_corpus_is_trained_by_several_tasks():
    settings = ClusterSettings()
    assert settings.resources.dynamic_allocation.enabled
    kept = with_fixed_executors(settings, THREE, [10, 20])
    fixed = with_fixed_executors(settings, THREE, [10, 2000])
    assert kept == settings
    request = ResourceRequest("small", Profile(instances=3, cores=1, memory_mb=640, overhead_mb=896), 1, False)
    keys = spark_settings(request, fixed.resources)
    assert (keys["spark.dynamicAllocation.enabled"], keys["spark.executor.instances"]) == ("false", "3")
    assert with_fixed_executors(fixed, THREE, [2000]) == fixed


def test_corpora_that_several_tasks_train_are_a_submission_of_their_own(monkeypatch):
    rows = {"a": 10, "b": 5000, "c": 20, "d": 3000}
    resources = ResourceSettings.model_validate(
        {
            "profiles": {
                name: {"instances": 3, "cores": 1, "memory_mb": 640, "overhead_mb": 896} for name in ("small", "large")
            },
            "rules": [{"max_rows": 15, "profile": "small"}, {"profile": "large"}],
        }
    )
    found = submissions.SelectedRun("r1", "", {corpus: Matrix(n, 5) for corpus, n in rows.items()})
    monkeypatch.setattr(submissions, "cluster_settings", lambda *_: (ClusterSettings(resources=resources), {}))
    monkeypatch.setattr(submissions, "_found", lambda _: found)
    monkeypatch.setattr(submissions, "read_parameters", lambda *_: {"training": {"workers": THREE}})
    monkeypatch.setattr(submissions, "_spec", lambda _asked, own, *_: own.resources.dynamic_allocation.enabled)
    parts, _, _ = submissions.by_size(submissions.SubmitOptions("train", "prod", "", {}, None, {}))
    assert [(part.profile, part.corpora, part.spec) for part in parts] == [
        ("small", ["a"], True),
        ("large", ["c"], True),
        ("large", ["b", "d"], False),
    ]
