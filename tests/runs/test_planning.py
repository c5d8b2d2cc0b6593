"""What stages would cost goes by what they cost last time; a plan is told in lines."""

from __future__ import annotations

import json
import os

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline, node

from rankhammer.cli.cluster import lines
from rankhammer.datasets import CheckpointDataset
from rankhammer.runs import planning
from rankhammer.runs.planning import RunPlan, State


def summary(seconds: dict[str, float], *, core_hours: float = 1.0, states: str = "done", **rows: int) -> dict:
    return {
        "stage_seconds": seconds,
        "core_hours": core_hours,
        "corpora": {name: {"n_serps": n, "n_judgments": n, "n_feature_rows": n} for name, n in rows.items()},
        "status": {name: {"state": states} for name in rows},
    }


def test_a_stage_takes_its_share_of_the_last_run_that_had_it():
    past = [summary({"folding": 10, "training": 30}, a=1), summary({"ingestion": 5, "folding": 99}, core_hours=2, a=1)]
    found = planning.estimate(past, stages=("ingestion", "training", "export"))
    assert found["stages"]["training"] == {"core_hours": 1.0 * 30 / 40, "seconds": 30, "rows": 1.0}
    assert found["stages"]["ingestion"]["core_hours"] == pytest.approx(2.0 * 5 / 104, abs=1e-4)
    assert found["unknown"] == ["export"]
    assert found["seconds"] == 30 + 5


def test_the_cost_grows_with_the_rows_that_are_collected_and_shrinks_with_the_corpora_that_are_chosen():
    past = [summary({"training": 40}, a=300, b=100)]
    grown = planning.estimate(past, stages=("training",), rows={"a": 600, "b": 200})
    assert (grown["seconds"], grown["stages"]["training"]["rows"]) == (40 * 2, 2.0)
    assert planning.estimate(past, stages=("training",), rows={"a": 300, "b": 100}, corpora=["b"])["seconds"] == 40 / 4
    collected = [summary({"ingestion": 40}, a=300, b=100)]
    assert (
        planning.estimate(collected, stages=("ingestion",), rows={"a": 9, "b": 9}, corpora=["b"])["seconds"] == 40 / 4
    )


def test_rows_of_corpora_that_the_last_run_did_not_work_on_are_no_part_of_what_it_took():
    past = summary({"training": 40}, a=300, b=100)
    past["status"]["b"] = {"state": "kept from before"}
    assert planning.estimate([past], stages=("training",), rows={"a": 300, "b": 300})["seconds"] == 40 * 2


def test_what_no_run_has_measured_is_left_out():
    assert planning.estimate([], stages=("training",)) is None
    assert planning.estimate([summary({"training": 1}, core_hours=0, a=1)], stages=("training",)) is None


def test_the_newest_summary_of_all_runs_comes_first(tmp_path):
    for age, run in enumerate(("b", "a", "c")):
        path = tmp_path / run / "run_summary.json"
        path.parent.mkdir()
        path.write_text(json.dumps({"run": run, "stage_seconds": {}, "core_hours": 0, "corpora": {}}))
        os.utime(path, (1000 - age, 1000 - age))
    assert [one["run"] for one in planning.summaries(f"{tmp_path}/*/run_summary.json", at_most=2)] == ["b", "a"]
    assert planning.summaries(f"{tmp_path}/none.json", at_most=2) == []
    (tmp_path / "b/run_summary.json").write_text('{"run"')
    assert [one["run"] for one in planning.summaries(f"{tmp_path}/*/run_summary.json", at_most=2)] == ["a", "c"]


def test_costs_go_by_the_runs_of_the_history_that_came_to_an_end():
    runs = [summary({"training": n}, a=1) | {"state": state} for n, state in ((1, "failed"), (2, "done"), (3, "done"))]
    assert planning.measured([{"id": "of another version"}, *runs], at_most=1) == runs[1:2]


def report(name: str) -> State:
    return State(name, f"hdfs:///{name}.json", "missing")


def test_a_plan_shows_why_something_is_stale_and_how_the_request_was_worked_out():
    resources = {
        "master": "yarn",
        "profile": "small",
        "queue": "ltr",
        "executors": 2,
        "executor_cores": 4,
        "executor_mb": 4096,
        "slots": 8,
        "arithmetic": ["16384 MB x 0.50 - 896 = 7296"],
        "set_in_spark_yml": {"spark.driver.memory": "2g"},
    }
    past = [summary({"training": 3600}, core_hours=8.0, a=1)]
    planned = RunPlan(
        environment="prod",
        run="Run r1 (the newest of 2)",
        corpora=["a"],
        stages={"folding": ["fold"], "training": ["tune"]},
        inputs=[State("feature_rows", "hdfs:///f", "current"), State("log", "a/clicks.csv", "there", is_given=True)],
        outputs=[State("ranker", "hdfs:///r", "stale", "params:training"), *map(report, ("a", "b"))],
        resources=resources,
        cost=planning.estimate(past, stages=("folding", "training")),
        errors=[],
    )
    shown = "\n".join(lines(planned))
    for text in (
        "Run:         r1 (the newest of 2)",
        "log           there    a/clicks.csv",
        "stale (params:training changed)",
        "at most 2 executors of 4 cores and 4096 MB, 8 tasks at once",
        "16384 MB x 0.50 - 896 = 7296",
        "spark.driver.memory=2g",
        "Costs about 8 core-hours, 3600 s, going by the last run:",
        "not known: folding",
        "reports: 2 missing",
    ):
        assert text in shown
    assert json.loads(json.dumps(planned.facts()))["outputs"][0]["why"] == "params:training"


def test_a_plan_lists_inputs_and_not_what_earlier_runs_have_left(tmp_path):
    catalog = DataCatalog(
        {
            "serps": MemoryDataset(),
            "run_history": MemoryDataset(),
            "kept": CheckpointDataset(filepath=str(tmp_path)),
        }
    )
    pipeline = Pipeline([node(lambda *_: 1, ["serps", "run_history", "kept", "params:x"], "made", name="tune")])
    assert planning._read(pipeline, catalog) == ["serps"]
