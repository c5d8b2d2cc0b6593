"""Cranfield: real texts, queries and human judgments go through the line by configuration alone."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY.parent / "shared" / "data" / "cranfield"
TABLES = ("documents", "click_log", "reference_judgments")

pytestmark = [pytest.mark.real, pytest.mark.skipif(not DATA.exists(), reason="the Cranfield files are not here")]


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark's script as a module."""
    spec = importlib.util.spec_from_file_location("cranfield_benchmark", REPOSITORY / "benchmarks" / "cranfield.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def project(benchmark, tmp_path_factory):
    """A project folder with a small click log on the whole collection."""
    path = tmp_path_factory.mktemp("cranfield") / "project"
    for part in ("conf", "src"):
        shutil.copytree(REPOSITORY / part, path / part, ignore=shutil.ignore_patterns("__pycache__", "local"))
    for part in ("pyproject.toml", ".telemetry"):
        shutil.copy(REPOSITORY / part, path / part)
    (path / "conf" / "local").mkdir()
    shutil.copy(REPOSITORY / "conf" / "test" / "spark.yml", path / "conf" / "cranfield" / "spark.yml")
    training = path / "conf" / "cranfield" / "parameters" / "training.yml"
    training.write_text(training.read_text().replace("n_trials: 4", "n_trials: 1").replace(": 300", ": 100"))
    benchmark.prepare(DATA, path / "data/01_raw/cranfield", n_serps=6000)
    return path


@pytest.fixture(scope="module")
def tables(project):
    return {name: pq.read_table(project / "data/01_raw/cranfield" / name) for name in TABLES}


def test_judgments_belong_to_the_queries_they_are_numbered_by(benchmark, tables):
    """Judged documents share far more long words with their own query than with the query before it."""
    bodies = {row["doc_id"]: _long_words(row["body"]) for row in tables["documents"].to_pylist()}
    queries = benchmark.read_queries(DATA)
    previous = dict(zip(queries[1:], queries, strict=False))
    judged = [row for row in tables["reference_judgments"].to_pylist() if row["query"] in previous]
    own = [len(_long_words(row["query"]) & bodies[row["doc_id"]]) for row in judged]
    other = [len(_long_words(previous[row["query"]]) & bodies[row["doc_id"]]) for row in judged]
    assert np.mean(own) > 1.5 * np.mean(other)


def _long_words(text):
    return {word for word in text.split() if len(word) > 4}


def test_the_best_judgment_of_the_file_is_the_highest_grade(tables):
    in_file = json.loads((DATA / "cran_qrels.json").read_text())
    n_best = sum(row["position"] == 1 for row in in_file)
    grades = tables["reference_judgments"]["grade"]
    assert len(grades) == len(in_file) == 1837
    assert pc.sum(pc.equal(grades, 4)).as_py() == n_best
    assert pc.min_max(grades).as_py() == {"min": 1, "max": 4}


def test_documents_that_people_judged_best_are_clicked_most(tables):
    log, judged = tables["click_log"].to_pandas(), tables["reference_judgments"].to_pandas()
    grade = log.merge(judged, on=["corpus", "query", "doc_id"], how="left")["grade"].fillna(0)
    rate = log["clicked"].groupby(grade).mean()
    assert rate.is_monotonic_increasing
    assert rate[4] > 5 * rate[0]


def test_parts_hold_each_query_out_once(benchmark, project, tables):
    queries = tables["reference_judgments"]["query"].unique().to_pylist()
    patterns = list(benchmark.held_out_patterns(project, 5))
    matched = [[query for query in queries if re.search(pattern, query)] for pattern in patterns]
    assert sorted(query for part in matched for query in part) == sorted(queries)
    assert min(map(len, matched)) > 30


@pytest.mark.slow_start
def test_all_six_stages_run_on_it_and_the_ranker_is_measured_against_people(project):
    script = REPOSITORY / "benchmarks" / "cranfield.py"
    command = [sys.executable, str(script), "run", "--project", str(project), "--splits", "2"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["n_queries"] == 225
    assert found["ranker"]["mean"] > found["logged"]["mean"]
    assert found["differences"]["ranker - baseline"]["lower"] > -0.05
    assert found["oracle"]["mean"] > found["baseline"]["mean"]
