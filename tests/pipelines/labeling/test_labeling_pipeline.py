from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError

from rankhammer.errors import DataError, RankhammerError
from rankhammer.pipelines.labeling.params import LabelingParams
from rankhammer.pipelines.labeling.pipeline import create_pipeline
from rankhammer.schemas import JUDGMENTS, SERPS

CONF = Path(__file__).parents[3] / "conf" / "base"
MEAN = {"graded_by": "mean"}
NODES = ("count_serps", "compare_click_models", "fit_click_model", "judge", "report_labeling")
SHOWN_AT = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def base_params(**changes):
    loaded = yaml.safe_load((CONF / "parameters" / "labeling.yml").read_text())["labeling"]
    return {**loaded, **changes}


def serps(spark, corpora, clicks=True):
    rng = np.random.default_rng(4)
    rows = []
    for corpus in corpora:
        for number in range(300):
            docs = [f"d{place}" for place in rng.permutation(5)[:4]]
            clicked = [bool(clicks and rng.random() < 0.1 * (5 - int(doc[1]))) for doc in docs]
            query = f"q{rng.integers(5)}"
            rows.append((corpus, f"{corpus}{number}", "s", query, query, query, SHOWN_AT, docs, clicked))
    schema = ", ".join(f"{name} {kind}" for name, kind in SERPS.columns.items())
    return spark.createDataFrame(rows, schema)


def run(table, params, previous=None, nodes=NODES):
    """All nodes, one after the other: a runner drops what lies between them."""
    found = {
        "serps": table,
        "params:labeling": LabelingParams(**params),
        "params:random_state": 42,
        "params:holdout": "clusters",
    }
    found |= {"ingestion_days": {}, "ingested_days": None, "previous_click_model": None, **(previous or {})}
    for node in nodes:
        part = create_pipeline().only_nodes(node)
        data = {name: MemoryDataset(found[name], copy_mode="assign") for name in part.inputs()}
        outputs = SequentialRunner().run(part, DataCatalog(data))
        found |= {name: output.load() for name, output in outputs.items()}
    return found


@pytest.fixture(scope="module")
def labeled(spark):
    silent = serps(spark, ["mute"], clicks=False)
    return run(serps(spark, ["main", "shop"]).unionByName(silent), base_params())


def test_every_shown_document_of_a_sound_corpus_is_judged(labeled):
    rows = JUDGMENTS.check(labeled["judgments"]).collect()
    assert len(rows) == 2 * 5 * 5
    assert {row.corpus for row in rows} == {"main", "shop"}
    assert {row.grade for row in rows} == {0, 1, 2, 3, 4}


def test_documents_that_people_prefer_get_better_grades(labeled):
    rows = labeled["judgments"].collect()
    best, worst = ([row.grade for row in rows if row.doc_id == doc] for doc in ("d0", "d4"))
    assert np.mean(best) > np.mean(worst) + 2


def test_the_report_counts_judgments_and_copies_failures(labeled):
    report = labeled["labeling_report"]
    assert list(report["corpora"]) == ["main", "shop"]
    main = report["corpora"]["main"]
    assert (main["n_judgments"], main["n_clusters"], main["n_queries"]) == (25, 5, 5)
    assert sum(main["grades"].values()) == 25
    assert report["click_model"] == "dbn"
    assert report["click_model_chosen_by"]["criterion"] == "named"
    assert 0 < main["fit"]["continuation"] < 1
    assert report["failures"] == labeled["labeling_failures"]
    assert [failure["corpus"] for failure in report["failures"]] == ["mute"]


def test_the_report_measures_the_model_beside_the_floor(labeled):
    held_out = labeled["labeling_report"]["corpora"]["shop"]["held_out"]
    assert set(held_out) == {"dbn", "dctr", "pbm", "ubm"}
    assert held_out["dbn"]["n_serps"] == held_out["dctr"]["n_serps"] > 0
    assert {"log_likelihood", "perplexity", "conditional_perplexity", "positions"} <= set(held_out["dbn"])


def test_plots_have_a_line_or_bars_for_each_corpus(labeled):
    assert [bars.name for bars in labeled["label_histogram"].data] == ["main", "shop"]
    assert {line.name for line in labeled["click_model_fit"].data} >= {"main: dbn", "main: dctr", "shop: seen"}


def test_the_measurement_can_be_turned_off(spark):
    held_out = {**base_params()["held_out"], "enabled": False}
    found = run(serps(spark, ["main"]), base_params(click_model={"name": "dctr"}, held_out=held_out))
    assert found["labeling_report"]["corpora"]["main"]["held_out"] == {}
    assert found["fitted_click_model"]["click_model"] == {"name": "dctr", "options": {}}
    assert found["click_model_comparison"].empty


def test_the_comparison_has_the_best_model_first(labeled):
    table = labeled["click_model_comparison"]
    assert list(table.loc[table["chosen"], "click_model"]) == ["dbn", "dbn"]
    for _, rows in table.groupby("corpus"):
        assert len(rows) == 4
        assert rows["conditional_perplexity"].is_monotonic_increasing


def auto(spark, criterion, names):
    held_out = {**base_params()["held_out"], "models": [{"name": name} for name in names], "criterion": criterion}
    params = base_params(click_model={"name": "auto"}, held_out=held_out)
    return run(serps(spark, ["main"]), params, nodes=("count_serps", "compare_click_models"))["click_model_measures"]


def test_auto_by_clicks_takes_the_model_that_foresees_clicks_best(spark, caplog):
    with caplog.at_level("INFO"):
        found = auto(spark, "clicks", ["gctr", "cascade", "ubm"])
    judging = ("cascade", "ubm")  # gctr says nothing of documents, however well it foresees clicks
    best = min(judging, key=lambda name: found["held_out"]["main"][name]["conditional_perplexity"])
    assert found["click_model"]["name"] == best
    reason = found["chosen_by"].pop("reason")
    assert found["chosen_by"] == {"criterion": "clicks", "default": "cascade", "chosen": best, "label_gains": {}}
    assert "predicts held-out clicks best" in reason
    assert "need not give the best labels" in reason
    assert f"auto takes {best}, {reason}" in caplog.text


def test_auto_by_labels_says_how_much_better_the_labels_of_each_model_are(spark, caplog):
    with caplog.at_level("INFO"):
        found = auto(spark, "labels", ["dbn", "dctr", "pbm"])
    reason, measured = found["chosen_by"], found["held_out"]["main"]
    gains = {name: gain["mean"] / gain["standard_error"] for name, gain in reason["label_gains"].items()}
    allowed = ["dbn", *(name for name, gain in gains.items() if gain > 1.5)]
    assert set(reason["label_gains"]) == {"dctr", "pbm"}
    assert reason["chosen"] == found["click_model"]["name"]
    assert reason["chosen"] == min(allowed, key=lambda name: measured[name]["conditional_perplexity"])
    assert "held-out clicks better" in reason["reason"]
    assert reason["reason"] in caplog.text
    assert "label_scores" not in measured["pbm"]


def test_auto_needs_models_to_pick_from():
    held_out = {**base_params()["held_out"], "models": []}
    with pytest.raises((ValidationError, RankhammerError), match=r"held_out\.models"):
        LabelingParams(**base_params(click_model={"name": "auto"}, held_out=held_out))


def test_other_grades_need_no_other_fit(labeled):
    grading = {
        **base_params()["grading"],
        "graded_by": "lower_bound",
        "method": "thresholds",
        "cuts": [0.1, 0.2, 0.3, 0.4],
    }
    given = {name: labeled[name] for name in ("click_model_parameters", "fitted_click_model")}
    judged = run(None, base_params(grading=grading), given, nodes=["judge"])["judgments"].collect()
    assert len(judged) == 50
    for row in judged:
        assert row.grade == sum(row.relevance_lower >= cut for cut in (0.1, 0.2, 0.3, 0.4))


def test_a_fit_begins_where_the_last_one_ended(spark, labeled):
    table = serps(spark, ["main", "shop"])
    previous = {"previous_click_model": labeled["click_model_parameters"]}
    nodes = ("count_serps", "compare_click_models", "fit_click_model")
    cold = {row[:4]: row for row in map(tuple, labeled["click_model_parameters"].collect())}
    warm = run(table, base_params(), previous, nodes)["click_model_parameters"].collect()
    assert len(warm) == len(cold) == 50
    assert max(row.n_iter for row in warm) == 1
    for row in warm:
        assert row.relevance == pytest.approx(cold[tuple(row)[:4]][8], abs=1e-3)


def test_a_previous_fit_of_another_shape_is_refused(spark, labeled):
    wrong = {"previous_click_model": labeled["click_model_parameters"].drop("parameters")}
    with pytest.raises(RankhammerError, match="'parameters' is missing"):
        run(serps(spark, ["main"]), base_params(), wrong, ("count_serps", "compare_click_models", "fit_click_model"))


def test_a_log_without_any_click_stops_the_run(spark):
    with pytest.raises(DataError, match="has a click"):
        run(serps(spark, ["mute"], clicks=False), base_params())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"click_model": {"name": "dbnn"}}, "Did you mean 'dbn'"),
        ({"click_model": {"name": "dbn", "options": {"prior_strenght": 1}}}, "prior_strenght"),
        ({"min_examinded": 1}, "min_examinded"),
        ({"grading": {**MEAN, "method": "thresholds", "max_grade": 2, "cuts": [0.5]}}, "labeling.grading.cuts"),
        ({"grading": {**MEAN, "method": "guess", "max_grade": 2, "cuts": []}}, "method"),
    ],
)
def test_a_wrong_parameter_is_named_before_any_node(changes, message):
    with pytest.raises((ValidationError, RankhammerError), match=message):
        LabelingParams(**base_params(**changes))


def test_kedro_finds_the_type_of_the_parameters():
    found = TypeExtractor({"labeling": create_pipeline()}).extract_types_from_pipelines()
    assert found["labeling"] is LabelingParams
