"""Hand-offs of a run are read with SQL by their names."""

from __future__ import annotations

import csv
import io
import json

import pytest

pytest.importorskip("duckdb")


def test_tables_of_a_run_are_listed_and_asked_by_name(warm_finished):
    listed = {table["name"]: table for table in json.loads(warm_finished.rankhammer("sql", "--json"))}
    assert {"serps", "judgments", "training_matrix", "evaluation", "tuning_trials"} <= set(listed)
    assert listed["training_matrix"]["columns"]["corpus"] == "varchar"
    counted = warm_finished.rankhammer(
        "sql", "SELECT corpus, count(*) AS n FROM serps GROUP BY ALL ORDER BY ALL", "--csv"
    )
    rows = list(csv.DictReader(io.StringIO(counted)))
    corpora = warm_finished.summary()["corpora"]
    assert {row["corpus"]: int(row["n"]) for row in rows} == {name: corpora[name]["n_serps"] for name in corpora}


def test_what_cannot_be_read_is_refused_with_the_tables_that_can(warm_finished):
    said = warm_finished.rankhammer("sql", "SELECT * FROM judgements", expect=2)
    assert "judgments" in said
    assert "Hint: Tables:" in said


def test_a_table_that_is_half_written_is_refused(finished_project, command_server, tmp_path):
    project = finished_project[0].copy(tmp_path / "copy").served_by(command_server)
    (project.path / "data/07_model_output/evaluation/_fingerprint.json").unlink()
    said = project.rankhammer("sql", "SELECT * FROM evaluation", expect=2)
    assert "missing, or was not finished" in said


def test_statements_for_hive_name_every_finished_table(warm_finished, tmp_path):
    said = warm_finished.rankhammer("tables", "hive", "-o", str(tmp_path / "tables.sql"))
    text = (tmp_path / "tables.sql").read_text()
    made = {line.split("`")[3] for line in text.splitlines() if line.startswith("CREATE OR REPLACE VIEW")}
    assert {"serps", "judgments", "training_matrix", "evaluation", "report_values"} <= made
    assert f"{len(made)} tables" in said
    assert text.count("LOCATION 'file:///") == len(made)
    assert text == warm_finished.rankhammer("tables", "hive")


def test_a_run_is_not_asked_for_where_runs_have_no_folders(warm_finished):
    said = warm_finished.rankhammer("sql", "SELECT count(*) FROM serps", "--run=20260101T000000Z-0000", expect=2)
    assert "Runs of this environment have no folders of their own" in said
