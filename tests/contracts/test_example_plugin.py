"""The example plugin's own rules; what every plugin of its groups keeps is tested by the contract suites."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
import xgboost as xgb

from rankhammer import plugins
from rankhammer.errors import SchemaError
from rankhammer.exporters import TrainedRanker
from rankhammer.feature_sets import FeatureSet
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

LOG = "page string, visit string, typed string, shown string, clicked string"


@pytest.fixture
def reader(example_plugin: Path) -> object:
    return plugins.create("click_logs", plugins.PluginSpec(name="spaced_lists", options={"corpus": "shop"}))


def test_spaced_lists_become_arrays_in_shown_order(spark: SparkSession, reader) -> None:
    raw = spark.createDataFrame([("p1", "v1", "red shoe", "d3 d1  d2", "d1")], LOG)
    (page,) = RAW_SERPS.check(reader.to_serps(raw)).collect()
    assert (page.corpus, page.serp_id, page.session_id, page.query) == ("shop", "p1", "v1", "red shoe")
    assert (page.doc_ids, page.clicked, page.fault) == (["d3", "d1", "d2"], [False, True, False], None)


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("p1", "v1", "shoe", "d1 d2", "d9"), "click_outside_page"),
        (("p1", "v1", "shoe", None, None), "empty_result_list"),
        (("p1", "v1", " ", "d1", None), "missing_query"),
        ((None, "v1", "shoe", "d1", None), "missing_serp_id"),
    ],
)
def test_faulty_page_is_kept_with_its_reason(spark: SparkSession, reader, row: tuple, fault: str) -> None:
    pages = reader.to_serps(spark.createDataFrame([row], LOG)).collect()
    assert [page.fault for page in pages] == [fault]


def test_missing_column_is_named(spark: SparkSession, reader) -> None:
    with pytest.raises(SchemaError, match="column 'shown' is missing"):
        reader.to_serps(spark.createDataFrame([("p1", "v1", "shoe")], "page string, visit string, typed string"))


def test_tree_csv_has_one_row_a_node_and_the_base_score_first(example_plugin: Path) -> None:
    feature_set = FeatureSet.model_validate(
        {"name": "one", "features": [{"type": "field_value", "name": "popularity", "field": "popularity"}]}
    )
    data = xgb.DMatrix(np.array([[1.0], [2.0]]), [0.0, 1.0], feature_names=["popularity"])
    params = {"max_depth": 1, "base_score": 0.5, "reg_lambda": 0, "learning_rate": 1.0, "min_child_weight": 0}
    booster = xgb.train({"objective": "reg:squarederror", **params}, data, 1)
    ranker = TrainedRanker("main", bytes(booster.save_raw("ubj")), feature_set, {})
    exporter = plugins.create("exporters", plugins.PluginSpec(name="tree_csv", options={"file_name": "t.csv"}))
    rows = list(csv.DictReader(io.StringIO(exporter.write(ranker)["t.csv"].decode())))
    assert [(row["tree"], row["node"], row["value"]) for row in rows] == [
        ("0", "0", "0.5"),
        ("1", "0", ""),
        ("1", "1", "-0.5"),
        ("1", "2", "0.5"),
    ]
