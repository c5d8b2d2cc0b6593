from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from pydantic import ValidationError

from rankhammer.errors import PluginError
from rankhammer.feature_sets import FeatureSet
from rankhammer.pipelines.features import nodes, report
from rankhammer.pipelines.features.params import FeaturesParams
from rankhammer.pipelines.features.pipeline import create_pipeline
from rankhammer.schemas import FEATURE_ROWS, JUDGMENTS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

CONF = Path(__file__).parents[3] / "conf" / "base" / "parameters"
SHOP = {
    "name": "shop",
    "features": [
        {"name": "title_bm25", "type": "match", "field": "title"},
        {"name": "sold", "type": "field_value", "field": "sold"},
        {"name": "one", "type": "expression", "expression": "1 + 0 * sold"},
    ],
}


def judgments(spark: SparkSession) -> DataFrame:
    given = spark.createDataFrame(
        [("a", "shoe", "1"), ("a", "shoe", "2"), ("a", "shoe", "404"), ("b", "shoe", "1")],
        "corpus string, query string, doc_id string",
    )
    others = {name: f"CAST(1 AS {kind}) AS {name}" for name, kind in JUDGMENTS.columns.items()}
    return given.selectExpr(*(name if name in given.columns else others[name] for name in JUDGMENTS.columns))


def run(spark: SparkSession) -> dict[str, Any]:
    documents = spark.createDataFrame(
        [("a", "1", "red shoe", 3), ("a", "2", "hat", 5)], "corpus string, doc_id string, title string, sold int"
    )
    inputs = {
        "judgments": judgments(spark),
        "documents": documents,
        "params:features": FeaturesParams.model_validate({"source": {"name": "embedded"}, "max_bad_share": 0.5}),
        "params:feature_set": FeatureSet.model_validate(SHOP),
    }
    catalog = DataCatalog({name: MemoryDataset(value, copy_mode="assign") for name, value in inputs.items()})
    for name in create_pipeline().outputs() | {"feature_rows", "features_failures", "features_missing"}:
        catalog[name] = MemoryDataset(copy_mode="assign")
    SequentialRunner().run(create_pipeline().only_nodes("collect_features"), catalog)
    feature_rows = catalog["feature_rows"].load()
    SequentialRunner().run(create_pipeline().only_nodes("report_features"), catalog)
    reports = {name: catalog[name].load() for name in ("features_report", "feature_distributions")}
    return {"feature_rows": feature_rows, **reports}


@pytest.fixture(scope="module")
def ran(spark: SparkSession) -> dict[str, Any]:
    return run(spark)


def test_the_stage_writes_feature_rows_of_the_corpora_that_have_documents(ran: dict[str, Any]) -> None:
    FEATURE_ROWS.check(ran["feature_rows"])
    rows = {row["doc_id"]: row["features"].asDict() for row in ran["feature_rows"].collect()}
    assert sorted(rows) == ["1", "2"]
    assert rows["1"]["title_bm25"] > 0.0 == rows["2"]["title_bm25"]
    assert rows["2"]["sold"] == 5.0


def test_the_report_counts_rows_missing_documents_and_failures(ran: dict[str, Any]) -> None:
    facts = ran["features_report"]
    corpus = facts["corpora"]["a"]
    assert (corpus["n_rows"], corpus["n_judgments"], corpus["n_missing"], corpus["n_features"]) == (2, 3, 1, 3)
    assert corpus["feature_set"] == "shop"
    assert corpus["feature_set_version"] == FeatureSet.model_validate(SHOP).version
    assert [failure["corpus"] for failure in facts["failures"]] == ["b"]
    json.dumps(facts, allow_nan=False)


def test_the_report_describes_every_feature(ran: dict[str, Any]) -> None:
    sold = ran["features_report"]["corpora"]["a"]["features"]["sold"]
    assert (sold["min"], sold["mean"], sold["max"]) == (3.0, (3 + 5) / 2, 5.0)
    assert (sold["nonzero_share"], sold["absent_share"]) == (1.0, 0.0)
    assert ran["features_report"]["corpora"]["a"]["features"]["title_bm25"]["nonzero_share"] == 1 / 2


def test_a_constant_feature_is_named_as_a_warning(ran: dict[str, Any]) -> None:
    warnings = ran["features_report"]["corpora"]["a"]["warnings"]
    assert len(warnings) == 1
    assert "'one'" in warnings[0]


def test_the_plot_has_one_trace_a_corpus_and_is_small(ran: dict[str, Any]) -> None:
    figure = ran["feature_distributions"]
    assert [trace.name for trace in figure.data] == ["a"]
    assert len(figure.to_json()) < 20_000


def test_absent_values_are_counted_apart_from_the_others(spark: SparkSession) -> None:
    rows = spark.sql(
        "SELECT 'a' AS corpus, named_struct('x', FLOAT(v)) AS features FROM VALUES ('NaN'), ('2'), ('0'), ('4') AS t(v)"
    )
    features = FeatureSet.model_validate({"name": "t", "features": [{"name": "x", "type": "query_length"}]})
    found = report.describe_features(rows, features)["a"]["features"]["x"]
    assert (found["min"], found["mean"], found["max"]) == (0.0, (2 + 0 + 4) / 3, 4.0)
    assert (found["nonzero_share"], found["absent_share"]) == (2 / 4, 1 / 4)


def test_a_feature_that_is_always_absent_is_described_without_numbers(spark: SparkSession) -> None:
    rows = spark.sql("SELECT 'a' AS corpus, named_struct('x', FLOAT('NaN')) AS features")
    features = FeatureSet.model_validate({"name": "t", "features": [{"name": "x", "type": "query_length"}]})
    described = report.describe_features(rows, features)
    assert described["a"]["features"]["x"]["mean"] is None
    assert report.distribution_figure(described).data[0].q1 == (None,)


def test_rows_that_lost_their_features_are_named() -> None:
    described = {"a": {"n_rows": 7, "features": {}}}
    missing = {"a": {"n_judgments": 10, "n_missing": 1}}
    facts = report.features_facts(described, missing, [], FeatureSet.model_validate(SHOP))
    assert facts["corpora"]["a"]["warnings"] == ["2 rows have no features although their documents are there."]


def test_the_shipped_parameters_are_valid_and_name_the_baseline() -> None:
    shipped = (
        yaml.safe_load((CONF / "features.yml").read_text()),
        yaml.safe_load((CONF / "feature_set.yml").read_text()),
    )
    assert FeaturesParams.model_validate(shipped[0]["features"]).source.name == "embedded"
    assert "body_bm25" in FeatureSet.model_validate(shipped[1]["feature_set"]).names


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_bad_share": 1.5}, "less than or equal to 1"),
        ({"max_bad_shares": 0.1}, "Extra inputs"),
        ({"source": {"name": "embeded"}}, "embedded"),
        ({"source": {"name": "embedded", "options": {"k2": 1}}}, "k2"),
    ],
)
def test_a_faulty_parameter_stops_before_any_node(change: dict[str, Any], message: str) -> None:
    with pytest.raises((ValidationError, PluginError), match=message):
        FeaturesParams.model_validate({"source": {"name": "embedded"}, "max_bad_share": 0.1} | change)


def test_kedro_finds_the_parameter_models_of_the_nodes() -> None:
    from typing import get_type_hints

    hints = get_type_hints(nodes.collect_features)
    assert (hints["params"], hints["feature_set"]) == (FeaturesParams, FeatureSet)
