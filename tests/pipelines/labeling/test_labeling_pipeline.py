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


def run(table, params):
    """Both nodes, one after the other: a runner drops what lies between them."""
    found = {"serps": table, "params:labeling": LabelingParams(**params), "params:random_state": 42}
    for node in ("label", "report_labeling"):
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
    assert main["fit"]["click_model"] == "dbn"
    assert report["failures"] == labeled["labeling_failures"]
    assert [failure["corpus"] for failure in report["failures"]] == ["mute"]


def test_the_report_measures_the_model_beside_the_floor(labeled):
    held_out = labeled["labeling_report"]["corpora"]["shop"]["held_out"]
    assert set(held_out) == {"dbn", "dctr"}
    assert held_out["dbn"]["n_serps"] == held_out["dctr"]["n_serps"] > 0
    assert {"log_likelihood", "perplexity", "conditional_perplexity", "positions"} <= set(held_out["dbn"])


def test_plots_have_a_line_or_bars_for_each_corpus(labeled):
    assert [bars.name for bars in labeled["label_histogram"].data] == ["main", "shop"]
    assert {line.name for line in labeled["click_model_fit"].data} >= {"main: dbn", "main: dctr", "shop: seen"}


def test_the_measurement_can_be_turned_off(spark):
    held_out = {**base_params()["held_out"], "enabled": False}
    found = run(serps(spark, ["main"]), base_params(click_model={"name": "dctr"}, held_out=held_out))
    assert found["labeling_report"]["corpora"]["main"]["held_out"] == {}
    assert found["fitted_click_model"]["main"]["click_model"] == "dctr"


def test_a_log_without_any_click_stops_the_run(spark):
    with pytest.raises(DataError, match="has a click"):
        run(serps(spark, ["mute"], clicks=False), base_params())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"click_model": {"name": "dbm"}}, "Did you mean 'dbn'"),
        ({"click_model": {"name": "dbn", "options": {"prior_strenght": 1}}}, "prior_strenght"),
        ({"min_examinded": 1}, "min_examinded"),
        ({"grading": {"method": "thresholds", "max_grade": 2, "cuts": [0.5]}}, "labeling.grading.cuts"),
        ({"grading": {"method": "guess", "max_grade": 2, "cuts": []}}, "method"),
    ],
)
def test_a_wrong_parameter_is_named_before_any_node(changes, message):
    with pytest.raises((ValidationError, RankhammerError), match=message):
        LabelingParams(**base_params(**changes))


def test_kedro_finds_the_type_of_the_parameters():
    found = TypeExtractor({"labeling": create_pipeline()}).extract_types_from_pipelines()
    assert found["labeling"] is LabelingParams
