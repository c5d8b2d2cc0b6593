from __future__ import annotations

import pytest

from rankhammer.errors import ConfigError
from rankhammer.queries import add_query_columns, normalize_query, query_cluster_id

QUERIES = ["Reading files", "read FILE", None, "", "日本語 検索", "Reading files"]


@pytest.mark.parametrize("partitions", [1, 3])
def test_columns_agree_with_plain_python(spark, partitions):
    table = spark.createDataFrame([(query,) for query in QUERIES], "query string").repartition(partitions)
    for row in add_query_columns(table, language="english").collect():
        expected = None if row.query is None else normalize_query(row.query, "english")
        assert row.normalized_query == expected
        assert row.query_cluster_id == (None if expected is None else query_cluster_id(expected))


def test_other_columns_and_rows_are_kept(spark):
    table = spark.createDataFrame([(1, "Files"), (2, "files")], "n int, query string")
    found = add_query_columns(table, language="english")
    assert found.columns == ["n", "query", "normalized_query", "query_cluster_id"]
    assert {row.n: row.normalized_query for row in found.collect()} == {1: "file", 2: "file"}


def test_unknown_language_stops_before_any_row_is_read(spark):
    with pytest.raises(ConfigError, match="klingon"):
        add_query_columns(spark.createDataFrame([("a",)], "query string"), language="klingon")


def test_each_corpus_is_read_in_its_language(spark):
    rows = [("de", "Häuser"), ("uk", "the houses"), ("other", "the houses"), ("de", None)]
    table = spark.createDataFrame(rows, "corpus string, query string")
    rules = {"default": "german", "corpora": {"uk": "english"}}
    found = {
        (row.corpus, row.query): row.normalized_query for row in add_query_columns(table, language=rules).collect()
    }
    # `the` is no German stop word.
    assert found == {
        ("de", "Häuser"): "haus",
        ("uk", "the houses"): "hous",
        ("other", "the houses"): normalize_query("the houses", "german"),
        ("de", None): None,
    }
    assert found["other", "the houses"].startswith("the ")
