"""What users get wrong: a typed error, a hint, exit code 2, no traceback, and nothing half-written."""

from __future__ import annotations

import os
import signal
import time

import pytest

from rankhammer.storage.lock import OutputLock

CLICK_LOG = "data/01_raw/log.csv"
HEADER = "serp_id,session_id,query,shown_at,doc_id,position,clicked"
ROWS = "s1,u1,json,2026-01-01T10:00:00Z,json,1,1\ns1,u1,json,2026-01-01T10:00:00Z,csv,2,0"
GLOBALS = f"""
click_log: {{path: {CLICK_LOG}, format: csv, load_args: {{header: true}}, reader: impressions, options: {{}}}}
reference_judgments: {{path: null}}
"""


def stopped(project, tmp_path, *arguments: str, **files: str) -> str:
    """Run a copy of the project with some files replaced; it must end with exit code 2 and no traceback."""
    changed = project.copy(tmp_path / "project")
    for name, text in files.items():
        (changed.path / name).parent.mkdir(parents=True, exist_ok=True)
        (changed.path / name).write_text(text)
    output = changed.kedro("run", *arguments, expect=2)
    assert "Traceback" not in output
    assert "Hint:" in output
    assert not list(changed.path.glob("data/0[2-7]*/*/_fingerprint.json"))
    return output


@pytest.mark.parametrize(
    ("log", "message"),
    [
        (f"{HEADER.replace('doc_id', 'sku')}\n{ROWS}\n", ["doc_id", "sku", "columns"]),
        (f"{HEADER}\n{ROWS.replace(',1,1', ',0,1')}\n", ["position"]),
    ],
    ids=["missing column", "every row faulty"],
)
def test_a_log_that_cannot_be_used_stops_the_run(warm_project, tmp_path, log, message):
    files = {CLICK_LOG: log, "conf/local/globals.yml": GLOBALS}
    output = stopped(warm_project, tmp_path, "--pipelines=ingestion", **files)
    for word in message:
        assert word in output.lower() or word in output


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ("labeling: {click_model: {name: dbnn}}", ["dbnn", "Did you mean 'dbn'?"]),
        ("labeling: {min_examinded: 1}", ["min_examinded"]),
        ("export: {targets: [{name: opensearch}]}", ["opensearch_ltr"]),
    ],
    ids=["model", "parameter", "exporter"],
)
def test_a_mistyped_name_stops_the_run_before_any_node(warm_project, tmp_path, parameters, message):
    output = stopped(warm_project, tmp_path, **{"conf/local/parameters_typo.yml": parameters})
    for word in message:
        assert word in output


def test_unknown_pipelines_and_nodes_are_named(warm_project, tmp_path):
    assert "Did you mean 'labeling'?" in stopped(warm_project, tmp_path / "1", "--pipelines=labelling")
    assert "nodes" in stopped(warm_project, tmp_path / "2", "--from-nodes=lable")


@pytest.mark.parametrize("folder", ["03_primary", "08_reporting"])
def test_an_output_that_cannot_be_written_is_found_before_any_work(warm_project, tmp_path, folder):
    output = stopped(warm_project, tmp_path, **{f"data/{folder}": "a file where a folder must be"})
    assert f"{folder} is a file, and a folder has to be there" in output
    assert "paths" in output


def test_a_corpus_with_too_few_clusters_does_not_stop_the_others(warm_finished, tmp_path):
    project = warm_finished.copy(tmp_path / "project")
    project.configure("parameters.yml", "folding: {n_folds: 45}\ntraining: {n_trials: 2, batch_size: 2, n_rounds: 5}\n")
    output = project.kedro("run", "--pipelines=folding", expect=3)
    assert "network" in output


def test_an_input_that_is_not_there_is_found_before_any_work(warm_project, tmp_path):
    output = stopped(warm_project, tmp_path, **{"conf/local/globals.yml": "documents: {path: data/nowhere}\n"})
    assert "data/nowhere does not exist" in output


def test_a_second_run_is_refused_and_named_values_have_to_have_a_place(small_project, tmp_path):
    lock = OutputLock(str(tmp_path / "project/data"), heartbeat_s=60, expires_s=300)
    project = small_project.copy(tmp_path / "project")
    lock.acquire()
    assert f"process {os.getpid()}" in project.kedro("run", expect=2)
    lock.release()
    assert "No stage has parameters called 'day'" in project.kedro("run", "--params=day=2026-11-21", expect=2)
    # Refused after it had the lock: it was given back.
    assert "released_by" in max((project.path / "data/.lock").glob("*.json")).read_text()


def test_ctrl_c_gives_the_lock_back(small_project, tmp_path):
    project = small_project.copy(tmp_path / "project")
    process = project.start("kedro", "run")
    deadline = time.monotonic() + 120
    while not list((project.path / "data/.lock").glob("0*.json")):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=120)
    assert "released_by" in (project.path / "data/.lock/000002.json").read_text()
