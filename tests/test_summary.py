"""The closing table says what the stages reported, and no more."""

from __future__ import annotations

import pytest

from rankhammer import summary
from rankhammer.corpus_status import Scope, command_again
from rankhammer.pipeline_registry import STAGES
from rankhammer.spark_health import Health

MEASURED = {"mean": 0.5, "lower": 0.4, "upper": 0.6}
REPORTS = {
    "ingestion": {"corpora": {"main": {"n_serps": 1000}, "fr": {"n_serps": 3}}, "failures": []},
    "labeling": {"corpora": {"main": {"n_judgments": 200}}, "failures": []},
    "features": {"corpora": {"main": {"n_rows": 190}}, "failures": []},
    "folding": {
        "corpora": {},
        "failures": [{"corpus": "fr", "stage": "folding", "error": "too few clusters", "hint": "bring more"}],
    },
    "training": {"corpora": {"main": {"truth": "reference", "ndcg@10": {"ranker": MEASURED}}}, "failures": []},
    "export": {"corpora": {"main": {"targets": ["opensearch_ltr"]}}, "failures": []},
}


def facts(**change):
    about = {"stages_run": ("export",), "stage_seconds": {"export": 1.234}, "total_s": 2.0} | change
    return summary.build(REPORTS, published="data/exported", scope=Scope(), health=Health(), **about)


def test_every_known_corpus_has_a_row_and_unknown_counts_stay_open():
    corpora = facts()["corpora"]
    assert corpora["main"]["n_serps"] == 1000
    assert corpora["main"]["n_feature_rows"] == 190
    assert corpora["fr"]["n_feature_rows"] is None
    assert corpora["fr"]["n_judgments"] is None
    assert corpora["main"]["ndcg@10"] == {"ranker": MEASURED}


def test_failures_of_all_stages_are_kept():
    assert [failure["corpus"] for failure in facts()["failures"]] == ["fr"]


def test_the_table_shows_intervals_failures_and_what_to_type_next(capsys):
    summary.show(facts(), where="run_summary.json")
    shown = capsys.readouterr().out
    for text in ("0.500 (0.400-0.600)", "1,000", "too few clusters", "Hint: bring more", "reference judgments (main)"):
        assert text in shown


def shown(reports, capsys) -> str:
    about = {"stages_run": ("training",), "stage_seconds": {}, "total_s": 2.0}
    summary.show(
        summary.build(reports, published="data/[x]", scope=Scope(), health=Health(), **about), where="[/y].json"
    )
    return capsys.readouterr().out


def test_a_corpus_with_one_test_cluster_is_shown_without_an_interval(capsys):
    alone = {"mean": 0.5, "lower": None, "upper": None}
    training = {"corpora": {"main": {"truth": "clicks", "ndcg@10": {"ranker": alone}}}, "failures": []}
    assert "0.500 (no interval)" in shown({"training": training}, capsys)


def test_the_table_shows_the_metric_and_the_intervals_that_training_chose(capsys):
    training = {"corpora": {"main": {"truth": "clicks", "ndcg@5": {"ranker": MEASURED}}}, "failures": []}
    table = shown({"training": training | {"metric": "ndcg@5", "confidence": 0.9}}, capsys)
    assert "ndcg@5 on held-out queries, 90 % intervals" in table
    assert "0.500 (0.400-0.600)" in table


def test_square_brackets_in_names_and_errors_are_shown_as_they_are(capsys):
    failure = {"corpus": "[fr]", "stage": "folding", "error": "'[a-z]+' matches nothing", "hint": "mend [/it]"}
    report = {"corpora": {"[fr]": {"n_serps": 3}}, "failures": [failure]}
    table = shown({"ingestion": report}, capsys)
    assert table.count("[fr]") == 4
    for text in ("'[a-z]+' matches nothing", "mend [/it]", "[/y].json"):
        assert text in table


def test_a_log_without_features_is_pointed_to_them():
    steps = summary.next_steps("yandex", known=("ingestion", "labeling"), stages_run=("labeling",))
    assert steps[0].startswith("kedro run --pipeline=collect --env=yandex")


def test_a_run_that_stops_before_training_says_how_to_go_on():
    assert any("--pipeline=train" in step for step in facts(stages_run=("labeling",))["next"])
    assert not any("--pipeline=train" in step for step in facts()["next"])


def test_what_the_cluster_cured_by_itself_is_said(capsys):
    built = facts() | {"warning": Health(100, 7).warning}
    summary.show(built, where="x.json")
    assert "Warning: 7 of 100 tasks failed and were done again." in capsys.readouterr().out


def test_each_corpus_is_shown_with_what_became_of_it_and_failed_ones_with_the_command_for_them_alone(capsys):
    scope = Scope("prod", {"run": "r1", "day": "2026-11-21"}, None, {})
    about = {"stages_run": ("training",), "stage_seconds": {}, "total_s": 1, "published": "x", "health": Health()}
    built = summary.build(REPORTS, scope=scope, **about)
    assert built["status"]["main"]["state"] == "done"
    assert built["status"]["fr"] == {"state": "failed", "stage": "folding", "version": None}
    assert built["again"] == "kedro run --pipeline=train --env=prod --params run=r1,day=2026-11-21,corpora=fr"
    summary.show(built, where="x.json")
    shown = capsys.readouterr().out
    assert "failed in folding" in shown
    assert built["again"] in shown


def test_corpora_that_a_run_did_not_work_on_are_kept_or_left_out_and_their_failures_are_not_its_own():
    failure = {"corpus": "b", "stage": "ingestion", "error": "too few", "hint": "bring more"}
    reports = {"ingestion": {"corpora": {name: {"n_serps": 1} for name in "abc"}, "failures": [failure]}}
    about = {"stages_run": ("export",), "stage_seconds": {}, "total_s": 1, "published": "x", "health": Health()}
    built = summary.build(reports, scope=Scope("local", {}, ["a"], {"b": "000001-ab", "old": "000001-ab"}), **about)
    states = {corpus: status["state"] for corpus, status in built["status"].items()}
    assert states == {"a": "done", "b": "kept from before", "c": "left out", "old": "kept from before"}
    assert (built["failures"], built["again"]) == ([], None)


@pytest.mark.parametrize(
    ("stage", "stages_run", "command"),
    [
        ("export", ("folding", "training", "export"), "kedro run --pipeline=train --params run=r1,corpora=b"),
        ("labeling", ("ingestion", "labeling", "features"), "kedro run --pipeline=collect --params corpora=b"),
        ("labeling", STAGES, "kedro run --params corpora=b"),
    ],
)
def test_a_corpus_that_failed_before_training_is_collected_once_more_in_a_run_of_its_own(stage, stages_run, command):
    failures = [{"corpus": "b", "stage": stage}]
    assert command_again(failures, Scope(params={"run": "r1"}), stages_run=stages_run) == command


def test_the_command_repeats_the_other_values_of_the_run():
    scope = Scope(params={"training": {"n_trials": 9}, "corpora": ["a", "b c"], "run": 7})
    assert scope.command("train") == "kedro run --pipeline=train --params 'training.n_trials=9,corpora=a,b c,run=7'"
