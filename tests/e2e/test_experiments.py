"""Experiments in a project folder, by the command line."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from rankhammer import settings
from rankhammer.config_loader import ConfigLoader
from rankhammer.experiments import functions

EXAMPLE = Path(__file__).parents[2] / "examples" / "pipeline_sweep.py"


@pytest.mark.slow_start
def test_a_sweep_runs_the_pipeline_with_each_value_and_leaves_the_projects_own_ranker_alone(warm_finished):
    rounds = {"small": 1, "as configured": 20}
    before = {path: path.read_bytes() for path in (warm_finished.path / "data/06_models/ranker").rglob("*.*")}
    given = [
        f"--arg=values={json.dumps(list(rounds.values()))}",
        "--arg=params=corpora=network",
        "--role=worker:instances=2",
    ]
    warm_finished.rankhammer("experiment", "run", f"{EXAMPLE}:sweep", "--local", *given)
    table = warm_finished.rankhammer("experiment", "files", "--get", "results/table.csv")
    rows = {int(row["value"]): row for row in csv.DictReader(io.StringIO(table))}
    assert list(rows) == list(rounds.values())
    assert {path: path.read_bytes() for path in before} == before
    summary = (warm_finished.path / "data/08_reporting/ndcg_summary.csv").read_text()
    own = next(
        row
        for row in csv.DictReader(io.StringIO(summary))
        if [row[name] for name in ("corpus", "metric", "truth", "quantity", "system")]
        == ["network", "ndcg@10", "reference", "mean", "ranker"]
    )
    assert rows[20]["mean"] == own["mean"]
    assert 0 < float(rows[1]["mean"]) < 1


def test_a_sweep_on_a_cluster_keeps_what_the_environment_says_and_no_place_that_it_writes_to(tmp_path, monkeypatch):
    sweep = functions.load(f"{EXAMPLE}:settings_of").__globals__
    with tarfile.open(tmp_path / "conf.tar.gz", "w:gz") as packed:
        packed.add(EXAMPLE.parents[1] / "conf" / "base", "conf/base")
        packed.add(EXAMPLE.parents[1] / "conf" / "prod", "conf/prod")
    monkeypatch.chdir(tmp_path)
    given = SimpleNamespace(arguments={"env": "prod", "feature": "hdfs:///runs/one/04_feature"})
    conf = sweep["settings_of"](given, tmp_path / "run")
    found = ConfigLoader(str(conf), env=sweep["ENV"], **settings.CONFIG_LOADER_ARGS)
    paths = found["globals"]["paths"]
    assert paths.pop("feature") == "hdfs:///runs/one/04_feature"
    assert {path for path in paths.values() if not path.startswith(f"{tmp_path}/run/data")} == set()
    assert found["spark"]["spark.master"] == "local[1]"
    assert found["globals"]["click_log"]["path"].startswith("hdfs:")
