"""What every registered feature source must do, built-in or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import load_documents
import pytest
from pydantic import BaseModel

from rankhammer import plugins
from rankhammer.errors import ConfigError
from rankhammer.feature_sets import FeatureSet
from rankhammer.plugins import PluginSpec

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

NAMES = [found.name for found in plugins.installed() if found.group == "feature_sources" and not found.error]
ENGINES = ("opensearch", "elasticsearch")
FEATURES = FeatureSet.model_validate(
    {
        "name": "contract",
        "features": [
            {"name": "title_bm25", "type": "match", "field": "title", "analyzer": "standard"},
            {"name": "title_or_nan", "type": "match", "field": "title", "analyzer": "standard", "absent": "keep"},
            {"name": "title_phrase", "type": "phrase", "field": "title", "analyzer": "standard"},
            {"name": "sold", "type": "field_value", "field": "sold"},
            {"name": "query_length", "type": "query_length"},
            {"name": "both", "type": "expression", "expression": "title_bm25 + sold"},
        ],
    }
)


ONE_BM25 = {"name": "title_bm25", "type": "match", "field": "title", "analyzer": "standard"}
COUNTED = {"name": "n_terms", "type": "matched_terms", "field": "title", "analyzer": "standard"}
_IN_TITLE = {"constant_score": {"filter": {"match": {"title": "{{keywords}}"}}, "boost": 2}}
OWN = {
    "name": "own",
    "type": "raw",
    "opensearch": _IN_TITLE,
    "elasticsearch": _IN_TITLE,
    "solr": "{!simple qf=title_standard q.operators='' q.op=OR}${keywords}",
}
REFUSED = {("embedded", "raw"), ("solr", "matched_terms")}
"""Built-in sources, and types of features that they cannot compute."""

BY_PLUGIN = tuple(f"{name} by sltr" for name in ENGINES)
"""Asked by the Learning to Rank plugin's log; a stand-in answers in the plugin's place."""


@pytest.fixture(params=[*NAMES, *BY_PLUGIN])
def source(request: pytest.FixtureRequest, spark: SparkSession, tmp_path: Path) -> Any:
    """The source; a real engine gets the documents first, and is asked where it listens."""
    name, _, way = request.param.partition(" by ")
    if name not in (*ENGINES, "solr"):
        return plugins.create("feature_sources", PluginSpec(name=name))
    node = request.getfixturevalue("stand_in" if way else name)
    documents = str(tmp_path / "documents")
    given(spark)[1].write.parquet(documents)
    options = {"url": node.url, "index": "contract-{corpus}", "pace": "greedy"}
    if name == "solr":
        node.load(documents, core="contract-{corpus}")
        options |= {"text_field": "{field}_{analyzer}", "quoted_keywords": True}
    else:
        load_documents.load(node.url, documents, index="contract-{corpus}", analyzers=("standard",))
        options |= {"logging": way or "named_queries"}
    return plugins.create("feature_sources", PluginSpec(name=name, options=options))


def given(spark: SparkSession) -> tuple[DataFrame, DataFrame]:
    documents = spark.createDataFrame(
        [("a", "1", "red shoe", 3.0), ("a", "2", None, None), ("b", "1", "red hat", 5.0)],
        "corpus string, doc_id string, title string, sold double",
    )
    rows = spark.createDataFrame(
        [
            ("a", "red shoe", "1", "x"),
            ("a", "red shoe", "2", "y"),
            ("b", "red shoe", "1", "z"),
            ("a", "red", "404", "w"),
        ],
        "corpus string, query string, doc_id string, carried string",
    )
    return rows, documents


def test_there_is_a_source() -> None:
    assert "embedded" in NAMES


def test_it_declares_its_options_and_says_what_it_is(source: Any) -> None:
    assert issubclass(type(source).Options, BaseModel)
    assert (type(source).__doc__ or "").strip()


def test_it_adds_one_struct_in_the_feature_sets_order(source: Any, spark: SparkSession) -> None:
    rows, documents = given(spark)
    collected = source.collect(rows, documents=documents, feature_set=FEATURES)
    fields = ",".join(f"{name}:float" for name in FEATURES.names)
    assert dict(collected.dtypes) == {**dict(rows.dtypes), "features": f"struct<{fields}>"}


def test_it_keeps_every_row_and_marks_unknown_documents_null(source: Any, spark: SparkSession) -> None:
    rows, documents = given(spark)
    found = source.collect(rows, documents=documents, feature_set=FEATURES).collect()
    assert sorted(row["carried"] for row in found) == ["w", "x", "y", "z"]
    assert [row["carried"] for row in found if row["features"] is None] == ["w"]


def test_what_does_not_match_is_zero_and_nan_only_where_absence_is_kept(source: Any, spark: SparkSession) -> None:
    rows, documents = given(spark)
    found = source.collect(rows, documents=documents, feature_set=FEATURES).collect()
    values = {row["carried"]: row["features"] for row in found}
    assert str(values["y"].asDict()["title_or_nan"]) == "nan"
    assert [values["y"][name] for name in FEATURES.names if name not in ("title_or_nan", "query_length")] == [0.0] * 4
    for row in values.values():
        assert row is None or row["query_length"] >= 0


@pytest.mark.parametrize(("feature", "values"), [(COUNTED, [2.0, 0.0, 1.0]), (OWN, [2.0, 0.0, 2.0])])
def test_it_computes_a_feature_or_says_that_it_cannot(
    source: Any, spark: SparkSession, feature: dict[str, Any], values: list[float]
) -> None:
    rows, documents = given(spark)
    two = FeatureSet.model_validate({"name": "contract", "features": [ONE_BM25, feature]})
    name = getattr(source, "name", "embedded")
    if (name, feature["type"]) in REFUSED:
        with pytest.raises(ConfigError, match=f"Feature '{feature['name']}'"):
            source.collect(rows, documents=documents, feature_set=two)
        return
    found = source.collect(rows, documents=documents, feature_set=two).collect()
    by_row = {row["carried"]: row["features"] for row in found}
    # Solr's own query here is a BM25, and no constant.
    expected = [by_row[key]["title_bm25"] for key in "xyz"] if (name, feature) == ("solr", OWN) else values
    assert [by_row[key][feature["name"]] for key in "xyz"] == pytest.approx(expected)
