"""The closing table says what the stages reported, and no more."""

from __future__ import annotations

import re

import pytest

from rankhammer.pipeline_registry import STAGES
from rankhammer.runs import history, summary
from rankhammer.runs.champion_facts import with_champions
from rankhammer.runs.corpus_status import Scope, command_again, merged
from rankhammer.spark.health import Health

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


DIFFERENCE = {"mean": 0.02, "lower": 0.01, "upper": 0.03, "n_queries": 40, "n_clusters": 40, "verdict": "better"}
TRAINING = {
    "metric": "ndcg@10",
    "confidence": 0.95,
    "corpora": {
        "main": {
            "truth": "clicks",
            "verdict": "worse",
            "ndcg@10": {"ranker": MEASURED},
            "metrics": {"clicks": {"ndcg@10": {"ranker": MEASURED}}},
        }
    },
    "failures": [],
}


def beside(comparison: dict, capsys) -> tuple[dict, str]:
    """The training report's facts and the closing table, with what was measured of the current ranker."""
    found = with_champions(TRAINING, {"metric": "ndcg@10", "corpora": comparison})
    return found["corpora"]["main"], shown({"training": found}, capsys)


def test_the_ranker_that_is_current_until_now_has_a_row_and_a_difference(capsys):
    current = {"mean": 0.48, "lower": 0.4, "upper": 0.55}
    compared = {"champion": "3f9c", "left_out": "", "is_unseen": False, "ndcg@10": current, "difference": DIFFERENCE}
    facts, table = beside({"main": compared | {"metrics": {"clicks": {"ndcg@10": current}}}}, capsys)
    assert re.search(r"current before +0\.480 \(0\.400-0\.550\)", table)
    assert re.search(r"current before +40 +\+0\.020 \(\+0\.010 to \+0\.030\) +better", table)
    assert "ranker 3f9c was measured on other test queries" in table
    # What decides whether a ranker is held back is the verdict against the logged order and the baseline.
    assert facts["verdict"] == "worse"
    assert facts["metrics"]["clicks"]["ndcg@10"].keys() == {"ranker", "champion"}
    kept = history.figures({"training": {**TRAINING, "corpora": {"main": facts}}}, ["training"])["training"]["main"]
    assert (kept["champion"], kept["verdicts"]["champion"]["mean"]) == ("3f9c", 0.02)


def test_a_current_ranker_that_cannot_be_measured_has_no_figure_and_a_reason(capsys):
    _, table = beside({"main": {"champion": "3f9c", "left_out": "The feature set lacks age."}}, capsys)
    assert re.search(r"current before +- *\n", table)
    assert "main, current before: The feature set lacks age." in table


def test_without_a_current_ranker_the_report_is_as_it_was(capsys):
    assert with_champions(TRAINING, {"metric": "ndcg@10", "corpora": {}}) == TRAINING
    assert with_champions(TRAINING, {"metric": "ndcg@5", "corpora": {"main": {}}}) == TRAINING
    assert "current before" not in beside({}, capsys)[1]


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


def test_runs_on_some_corpora_each_are_told_as_one():
    done, failed, kept, out = ({"state": state} for state in ("done", "failed", "kept from before", "left out"))
    first = {"a": done, "b": failed, "c": out, "d": out}
    second = {"a": kept, "b": kept, "c": done, "d": kept}
    assert merged([first, second]) == {"a": done, "b": failed, "c": done, "d": kept}
    assert merged([{"b": failed}, {"b": done}]) == {"b": done}


def test_what_was_left_out_is_a_line_a_corpus(capsys):
    lossy = {
        "n_serps": 8,
        "n_read": 12,
        "set_aside": {"too_long": 1},
        "n_robot_serps": 3,
        "clicks": {"kept": 6, "outside the list": 2, "repeated": 1},
        "records": {"clicks": 9, "unknown action 'scr\x1b[2J\noll'": 20},
        "duplicates": {"rows": 5},
        "n_abandoned": 1,
        "sessions": {"made": 8, "split": 2, "pages of made sessions": 9, "late pages": 3},
    }
    whole = {"n_serps": 3, "n_read": 3, "set_aside": {}, "n_robot_serps": 0, "clicks": {"kept": 2}}
    ingestion = {"corpora": {"main": lossy, "[fr]": whole}, "failures": []}
    features = {"corpora": {"main": {"documents_set_aside": {"missing_doc_id": 2}, "unreadable_fields": {"price": 4}}}}
    table = shown({"ingestion": ingestion, "features": features | {"failures": []}}, capsys)
    assert (
        "Left out of main: 5 of 12 result pages (3 of robots, 1 too_long, 1 without a click); "
        "2 of 9 clicks (2 outside the list); "
        "20 of 29 records (20 unknown action 'scr\\x1b[2J\\noll'); 5 copies of rows.\n"
    ) in table
    assert "Sessions of main: 8 made of 9 pages; 2 (25.0%) were cut off longer ones.\n" in table
    assert "Late pages of main: 3 (25.0%) were received on a later day.\n" in table
    assert "Documents of main: 4 without a readable price, 2 missing_doc_id.\n" in table
    assert "Left out of [fr]" not in table


@pytest.mark.parametrize(
    ("n_found", "truth", "words"),
    [
        (90, "reference", "90 of 100 relevant ones are on documents of the training rows."),
        (0, "clicks", "only 0 of 100 relevant ones"),
        (50, "clicks", "not used, as no test query has a relevant one."),
        (None, "clicks", "not used, as this corpus was not trained."),
    ],
)
def test_reference_judgments_that_match_nothing_or_are_not_used_are_told(n_found, truth, words, capsys):
    counts = {"n_read": 300, "n_kept": 280, "n_ungraded": 5, "n_relevant": 100, "set_aside": {"unreadable_grade": 15}}
    training = {
        "corpora": {"main": {"truth": truth}},
        "failures": [],
        "reference_judgments": {"main": counts | {"n_relevant_found": n_found}},
    }
    table = shown({"training": training}, capsys)
    assert "Reference judgments of main: 280 of 300 kept (15 unreadable_grade, 5 without a grade left out); " in table
    assert words in table


def test_the_order_of_a_ranker_is_named_by_what_learned_and_not_by_what_is_around_it(capsys):
    about = {"truth": "clicks", "ndcg@10": {"ranker": MEASURED}, "ranker": "selected", "learner": "xgboost"}
    table = shown({"training": {"corpora": {"main": about}, "failures": []}}, capsys)
    assert "ranker: xgboost" in table
    assert "selected" not in table
    old = {"truth": "clicks", "ndcg@10": {"ranker": MEASURED}, "ranker": "linear"}
    assert "ranker: linear" in shown({"training": {"corpora": {"main": old}, "failures": []}}, capsys)


def test_the_table_says_why_there_is_no_number(capsys):
    nothing = {"mean": None, "lower": None, "upper": None}
    facts = {"truth": "clicks", "ndcg@10": {"ranker": nothing}, "why_null": "no ndcg@10: it has no test query"}
    table = shown({"training": {"corpora": {"main": facts}, "failures": []}}, capsys)
    assert "Corpus 'main' has no ndcg@10: it has no test query." in table


def test_the_text_of_a_failure_is_one_line_that_says_where_the_whole_is(capsys):
    failure = {"corpus": "main", "stage": "training", "error": "XGBoostError: a\n" + "b" * 3000, "hint": "mend it"}
    table = shown({"training": {"corpora": {}, "failures": [failure]}}, capsys)
    (line,) = [line for line in table.splitlines() if "failed in training:" in line]
    assert "XGBoostError: a bbb" in line
    assert line.endswith("b ... (whole: run_summary.json)")
    assert len(line) < 400


def test_grades_that_feature_rows_came_with_are_not_called_judgments_from_clicks(capsys):
    training = {"corpora": {"main": {"truth": "given", "ndcg@10": {"ranker": MEASURED}}}, "failures": []}
    table = shown({"training": training}, capsys)
    assert "Measured against the grades that feature_rows came with (main)." in table


def compared(word: str, **change) -> dict:
    return {
        "mean": -0.096, "lower": -0.152, "upper": -0.036, "n_queries": 34, "n_clusters": 34, "verdict": word,
        "n_queries_needed": None,
    } | change  # fmt: skip


def judged(truth="clicks", **verdicts) -> dict:
    words = [one["verdict"] for one in verdicts.values()]
    return {"truth": truth, "ndcg@10": {"ranker": MEASURED}, "verdict": words[0], "verdicts": verdicts}


def test_the_table_says_the_difference_to_each_order_in_one_word(capsys):
    corpora = {
        "main": judged(logged=compared("worse"), baseline=compared("better", mean=0.05, lower=0.01, upper=0.09)),
        "fr": judged("reference", baseline=compared("not distinguishable", n_queries_needed=1234)),
        "few": judged("reference", baseline=compared("too few queries", lower=None, upper=None)),
    }
    report = {"corpora": corpora, "failures": [], "verdict_min_clusters": 20}
    table = " ".join(shown({"training": report}, capsys).split())
    assert "main logged order 34 -0.096 (-0.152 to -0.036) worse baseline 34 +0.050 (+0.010 to +0.090) better" in table
    assert (
        "fr, baseline: it would take about 1,234 test queries to show a difference of this size (80% power)." in table
    )
    assert "-0.096 (no interval) too few queries" in table
    assert "Too few queries (few): a verdict takes 20 test query clusters." in table
    assert "Judgments from clicks favour the logged order" in table


@pytest.mark.parametrize(("truth", "against"), [("reference", "logged"), ("given", "baseline"), ("clicks", "baseline")])
def test_only_a_comparison_by_clicks_with_the_logged_order_favours_it(truth, against, capsys):
    corpora = {"main": judged(truth, **{against: compared("better")})}
    assert "favour" not in shown({"training": {"corpora": corpora, "failures": []}}, capsys)


def test_a_ranker_that_is_held_back_is_told_with_the_version_and_the_command_that_makes_it_current(capsys):
    export = {"corpora": {"main": {"targets": [], "held_back": "worse than the logged order"}}, "failures": []}
    scope = Scope("prod", {"run": "r1"}, None, {"main": "000001-aa"}, {"main": "000002-bb"})
    about = {"stages_run": ("export",), "stage_seconds": {}, "total_s": 1, "published": "x", "health": Health()}
    built = summary.build({"export": export}, scope=scope, **about)
    assert built["status"] == {"main": {"state": "held back", "stage": None, "version": "000002-bb"}}
    assert built["held_back"] == {"main": "worse than the logged order"}
    assert built["failures"] == []
    assert built["accept"] == "kedro run --pipeline=export --env=prod --params run=r1,export.accept_worse=main"
    summary.show(built, where="x.json")
    printed = capsys.readouterr().out
    assert "the new ranker is not current, as it is worse than the logged order. It is in version 000002-bb" in printed
    assert built["accept"] in printed


def test_a_ranker_that_is_promoted_by_hand_is_told_with_the_command_that_compares_it(capsys):
    export = {"corpora": {"a b": {"targets": [], "held_back": "to be promoted by hand"}}, "failures": []}
    scope = Scope("prod", {}, None, {"a b": "000001-aa"}, {"a b": "000002-bb"})
    about = {"stages_run": ("export",), "stage_seconds": {}, "total_s": 1, "published": "x", "health": Health()}
    built = summary.build({"export": export}, scope=scope, **about)
    assert built["accept"] is None
    assert built["promote"] == ["rankhammer promote 'a b' --env=prod"]
    summary.show(built, where="x.json")
    printed = " ".join(capsys.readouterr().out.split())
    assert "the new ranker is not current, as it is to be promoted by hand. It is in version 000002-bb" in printed
    assert f"make the better one current: {built['promote'][0]}" in printed


def test_the_table_says_which_ranker_was_chosen(capsys):
    why = {"reason": "the only candidate", "standard_errors": 1.0, "candidates": {}}
    training = {"corpora": {"main": REPORTS["training"]["corpora"]["main"] | {"ranker": "linear", "choice": why}}}
    about = {"stages_run": ["training"], "stage_seconds": {}, "total_s": 1.0, "published": "x"}
    built = summary.build({"training": training | {"failures": []}}, scope=Scope(), health=Health(), **about)
    assert (built["corpora"]["main"]["ranker"], built["corpora"]["main"]["choice"]) == ("linear", why)
    summary.show(built, where="x.json")
    assert "ranker: linear" in capsys.readouterr().out
