"""The line as a user runs it: from a click log to an exported ranker."""

from __future__ import annotations

import json
import re
import shutil
import tarfile
import time
import zipfile
from pathlib import Path

import pytest

from rankhammer.pipeline_registry import COMPOSITES

REPOSITORY = Path(__file__).parents[2]
EXPORT = "data/07_model_output/exported_model/current"


def files_below(folder) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_a_run_ends_with_the_closing_table_and_no_warning(finished_project):
    project, output = finished_project
    assert not project.warnings(output)
    for word in ("stdlib", "network", "ndcg@10", "trained on truth", "Rankers:", "run_summary.json", "kedro viz run"):
        assert word in output


def test_the_summary_holds_the_tables_facts(finished_project):
    project, _ = finished_project
    facts = project.summary()
    assert set(facts["corpora"]) == {"stdlib", "network"}
    assert facts["failures"] == []
    assert set(facts["stage_seconds"]) == {*COMPOSITES["__default__"]}
    for corpus in facts["corpora"].values():
        assert min(corpus["n_serps"], corpus["n_judgments"], corpus["n_feature_rows"]) > 0
        for system in ("logged", "baseline", "ranker", "oracle"):
            measured = corpus["ndcg@10"][system]
            assert 0 <= measured["lower"] <= measured["mean"] <= measured["upper"] <= 1


def test_every_exported_folder_says_where_it_comes_from_and_that_it_scores_alike(finished_project):
    project, _ = finished_project
    folders = [path.parent for path in (project.path / EXPORT).rglob("parity.json")]
    assert {folder.parent.name for folder in folders} == {"stdlib", "network"}
    for folder in folders:
        manifest, parity = (json.loads((folder / name).read_text()) for name in ("manifest.json", "parity.json"))
        assert parity["max_abs_difference"] <= 1e-5
        assert manifest["lineage"]["inputs"].keys() >= {"click_log", "documents"}
        assert manifest["lineage"]["parameters"]["random_state"] == 42


def test_a_second_run_gives_the_same_rows_and_bytes_whatever_the_partitioning(warm_finished, run_in_terminal):
    again = run_in_terminal[0].served_by(warm_finished.server)
    before, published = warm_finished.digests(), files_below(warm_finished.path / EXPORT)
    assert again.summary()["run"] != warm_finished.summary()["run"]
    after = again.digests()
    unequal = {name for name in before if before[name] != after[name]}
    assert not unequal
    assert files_below(again.path / EXPORT) == published


def test_a_stage_killed_midway_and_run_again_ends_like_an_undisturbed_run(warm_finished, tmp_path):
    undisturbed = warm_finished
    project = undisturbed.copy(tmp_path / "killed")
    for folder in ("04_feature", "05_model_input", "06_models", "07_model_output", "08_reporting"):
        shutil.rmtree(project.path / "data" / folder)
    process = project.start("kedro", "run", "--only-missing-outputs")
    deadline = time.monotonic() + 300
    feature_rows = project.path / "data/04_feature/feature_rows"
    while not (feature_rows / "_temporary").exists():
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not (feature_rows / "_fingerprint.json").exists()
    assert (project.path / "data/03_primary/judgments/_fingerprint.json").exists()
    project.kedro("run", "--only-missing-outputs")
    expected, found = undisturbed.digests(), project.digests()
    assert {name for name in expected if expected[name] != found[name]} <= {"tuning_trials"}
    assert files_below(project.path / EXPORT) == files_below(undisturbed.path / EXPORT)


def test_nothing_is_made_again_when_nothing_changed(warm_finished, tmp_path):
    project = warm_finished.copy(tmp_path / "unchanged")
    output = project.kedro("run", "--only-missing-outputs")
    assert not re.search(r"\[\d+/\d+\]", output), output


def test_a_changed_parameter_makes_its_stage_and_the_later_ones_again(warm_finished, tmp_path):
    project = warm_finished.copy(tmp_path / "changed")
    project.configure("parameters.yml", "training: {n_trials: 2, batch_size: 2, n_rounds: 15}\n")
    refused = project.kedro("run", "--pipelines=export", expect=2)
    assert "stale" in refused
    assert "params:training" in refused
    assert "Traceback" not in refused
    output = project.kedro("run", "--only-missing-outputs")
    assert "tune" in output
    assert "ingest:" not in output


def test_train_runs_alone_in_an_environment_of_its_own(warm_finished, tmp_path):
    project = warm_finished.copy(tmp_path / "train")
    output = project.kedro("run", "--pipeline=train", "--env=test")
    assert "ingest:" not in output
    assert not project.warnings(output)
    assert (project.path / "data/test/07_model_output/exported_model").exists()


@pytest.mark.parametrize("command", [["viz", "build"], ["catalog", "describe-datasets"], ["registry", "list"]])
def test_browsing_never_starts_spark(finished_project, tmp_path, command):
    project = finished_project[0].copy(tmp_path / "browse")
    output = project.kedro(*command, SPARK_HOME="/nonexistent")
    assert "Error" not in output
    if command[0] == "viz":
        shown = (project.path / "build/api/main").read_text()
        assert "ndcg_comparison" in shown
        assert "label_histogram" in shown


def test_a_package_holds_the_code_and_an_archive_of_its_configuration(small_project, tmp_path):
    project = small_project.copy(tmp_path / "package")
    (project.path / "src" / "rankhammer").unlink()
    shutil.copytree(
        REPOSITORY / "src/rankhammer", project.path / "src/rankhammer", ignore=shutil.ignore_patterns("__pycache__")
    )
    project.kedro("package")
    (wheel,) = (project.path / "dist").glob("rankhammer-*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    assert {
        "rankhammer/spark/session_provider.py",
        "rankhammer/spark/log4j2.properties",
        "rankhammer/pipelines/export/nodes.py",
    } <= names
    with tarfile.open(project.path / "dist" / "conf-rankhammer.tar.gz") as packed:
        names = set(packed.getnames())
    assert "conf/prod/spark.yml" in names
    assert not any(name.startswith("conf/local/") for name in names)
