"""A hand-off's digest changes with whatever it is made of, and with nothing else."""

from __future__ import annotations

import pytest
from kedro.pipeline import node, pipeline

from rankhammer.datasets.handoff import Fingerprint
from rankhammer.fingerprints.handoffs import digest, expected_fingerprints, known_choices, known_sources


def line():
    return pipeline(
        [
            node(lambda log, params: log, ["click_log", "params:ingestion"], "serps", name="ingest"),
            node(lambda serps, params: serps, ["serps", "params:labeling"], "judgments", name="label"),
            node(lambda rows, docs: rows, ["judgments", "documents"], "feature_rows", name="collect_features"),
        ]
    )


def made(*, ingestion=1, labeling=1, log="log-1", documents="docs-1", code="code-1", **plugins):
    return expected_fingerprints(
        line(),
        parameters={"params:ingestion": {"a": ingestion}, "params:labeling": {"b": labeling}},
        sources={"click_log": log, "documents": documents},
        code={"ingest": {"code": "1"}, "label": {"code": code, **plugins}, "collect_features": {"code": "1"}},
    )


def changed(**change) -> set[str]:
    before, after = made(), made(**change)
    return {name for name in before if before[name].digest != after[name].digest}


@pytest.mark.parametrize(
    ("change", "stale"),
    [
        ({}, set()),
        ({"ingestion": 2}, {"serps", "judgments", "feature_rows"}),
        ({"labeling": 2}, {"judgments", "feature_rows"}),
        ({"documents": "docs-2"}, {"feature_rows"}),
        ({"log": "log-2"}, {"serps", "judgments", "feature_rows"}),
        ({"code": "code-2"}, {"judgments", "feature_rows"}),
        ({"click_models.dbn": "dbn-2"}, {"judgments", "feature_rows"}),
    ],
)
def test_a_change_makes_stale_what_it_reaches_and_no_more(change, stale):
    assert changed(**change) == stale


def test_a_handoff_remembers_the_raw_inputs_behind_it():
    assert made()["feature_rows"].sources == {"click_log": "log-1", "documents": "docs-1"}
    assert made()["serps"].sources == {"click_log": "log-1"}


def test_the_difference_names_the_changed_part():
    assert made(labeling=2)["judgments"].difference(made()["judgments"]) == "params:labeling"
    changed_model = made(**{"click_models.dbn": "dbn-2"})["judgments"]
    assert changed_model.difference(made(**{"click_models.dbn": "dbn-1"})["judgments"]) == "click_models.dbn"


def test_an_input_that_this_run_does_not_read_is_taken_as_it_was_recorded():
    recorded = [Fingerprint("serps", "1", "ingest", {}, {"click_log": "old"}), None]
    assert known_sources([], recorded, str) == {"click_log": "old"}
    assert known_sources(["click_log"], recorded, lambda name: "new") == {"click_log": "new"}


def test_the_order_of_keys_does_not_change_a_digest():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def chosen_line():
    return pipeline(
        [
            node(lambda log, corpora: log, ["click_log", "params:corpora"], "serps", name="ingest"),
            node(lambda rows, corpora: rows, ["serps", "params:corpora"], "training_rows", name="fold"),
            node(lambda rows: rows, ["training_rows"], "ranker", name="train"),
        ]
    )


def made_for(choice, *, run=("ingest", "fold", "train"), recorded=()):
    return expected_fingerprints(
        chosen_line(),
        parameters={"params:corpora": choice},
        sources={"click_log": "1"},
        code={name: {"code": "1"} for name in ("ingest", "fold", "train")},
        choices=known_choices(run, recorded),
    )


def test_choosing_corpora_for_training_does_not_make_what_was_collected_of_all_stale():
    collected = made_for(None)
    train = made_for(["a"], run=("fold", "train"), recorded=[collected["serps"]])
    assert train["serps"].digest == collected["serps"].digest
    assert train["ranker"].digest != collected["ranker"].digest
    assert (train["serps"].corpora, train["ranker"].corpora) == (None, ["a"])


def test_what_was_trained_on_some_corpora_is_current_for_a_later_export_of_it():
    trained = made_for(["a"], run=("fold", "train"), recorded=[made_for(None)["serps"]])
    export = made_for(None, run=(), recorded=[trained["ranker"]])
    assert export["ranker"] == trained["ranker"]
    assert made_for(None)["ranker"].digest != trained["ranker"].digest


def test_a_hand_off_speaks_of_the_corpora_that_all_choices_before_it_have_in_common():
    collected = made_for(["a", "b"])
    train = made_for(["b", "c"], run=("fold", "train"), recorded=[collected["serps"]])
    assert train["ranker"].corpora == ["b"]
    assert made_for("b, a")["ranker"] == made_for(["a", "b"])["ranker"]
