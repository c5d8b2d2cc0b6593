from __future__ import annotations

import random

import pyarrow as pa
import pytest

from rankhammer.queries import add_query_columns, assign_clusters, query_cluster_id
from rankhammer.queries.result_clusters import _whole_forms, count_cut_forms, moved_queries, split_by_results

PAGES = [
    ("shop", "The Who", "abcde"),
    ("shop", "who", "abcdf"),
    ("shop", "who?", "xyz"),
    ("shop", "WHO", "xyz"),
    ("shop", "to be", "k"),
    ("wiki", "who", "xyz"),
    ("wiki", "who is", "xyw"),
]
"""Corpus, query, documents; all queries but one have the form `who`."""


def serps(spark, pages, partitions: int = 1):
    rows = [(corpus, query, list(docs)) for corpus, query, docs in pages]
    table = spark.createDataFrame(rows, "corpus string, query string, doc_ids array<string>")
    return add_query_columns(table.repartition(partitions))


def ids(table) -> dict[tuple[str, str], str]:
    return {(row.corpus, row.query): row.query_cluster_id for row in table.collect()}


def test_a_forms_queries_part_where_their_results_do(spark):
    found = ids(split_by_results(serps(spark, PAGES)))
    who = query_cluster_id("who")
    # The cluster with the form's first query has its id, another one that of its own first query.
    other = query_cluster_id("who\nWHO")
    assert found == {
        ("shop", "The Who"): who,
        ("shop", "who"): who,
        ("shop", "WHO"): other,
        ("shop", "who?"): other,
        ("shop", "to be"): query_cluster_id("to be"),
        ("wiki", "who"): who,
        ("wiki", "who is"): query_cluster_id("who\nwho is"),
    }


def test_order_partitions_and_more_pages_of_the_same_queries_change_no_id(spark):
    expected = ids(split_by_results(serps(spark, PAGES)))
    shuffled = PAGES * 3
    random.Random(1).shuffle(shuffled)
    assert ids(split_by_results(serps(spark, shuffled, partitions=3))) == expected


def test_the_documents_shown_most_often_are_a_querys_list(spark):
    # `files` showed abcde twice and zyxwv once: it joins `file`.
    pages = [("m", "file", "abcde"), ("m", "files", "abcde"), ("m", "files", "zyxwv"), ("m", "files", "abcde")]
    assert set(ids(split_by_results(serps(spark, pages))).values()) == {query_cluster_id("file")}


def test_only_the_first_five_places_count(spark):
    pages = [("m", "file", "abcdeXYZ"), ("m", "files", "XYZVW")]
    assert len(set(ids(split_by_results(serps(spark, pages))).values())) == 2


def test_other_columns_and_rows_are_kept(spark):
    table = serps(spark, PAGES)
    found = split_by_results(table)
    assert found.columns == table.columns
    assert found.count() == len(PAGES)


def test_the_rarest_queries_of_a_huge_form_stay_alone_and_are_counted(spark, caplog):
    pages = [("m", "file", "a"), ("m", "files", "a"), ("m", "files", "a"), ("m", "FILE", "a"), ("m", "FILE", "a")]
    table = serps(spark, pages)
    found = ids(split_by_results(table, max_queries=2))
    assert found["m", "FILE"] == found["m", "files"] == query_cluster_id("file")
    assert found["m", "file"] == query_cluster_id("file\nfile")
    assert count_cut_forms(table, max_queries=2) == {"m": {"forms": 1, "queries": 1}}
    assert "more than 2 queries" in caplog.text
    assert count_cut_forms(table) == {}


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_the_size_of_batches_changes_nothing(size):
    rows = [("m", form, f"{form}{query}", doc, 1) for form in "pqrs" for query in range(4) for doc in f"{query % 2}abc"]
    names = ["corpus", "normalized_query", "query", "doc_id", "n_pages"]
    table = pa.table([list(column) for column in zip(*rows, strict=True)], names=names)
    parts = [moved_queries(whole) for whole in _whole_forms(table.to_batches(size))]
    assert pa.concat_tables(parts).equals(moved_queries(table))
    forms = [form for whole in _whole_forms(table.to_batches(size)) for form in whole["normalized_query"].unique()]
    assert [form.as_py() for form in forms] == list("pqrs")


def test_queries_from_elsewhere_get_the_clusters_of_the_log(spark):
    log = split_by_results(serps(spark, PAGES))
    graded = [("shop", "who?"), ("shop", "whos"), ("shop", "TO BE"), ("shop", "new"), ("wiki", "who is")]
    table = spark.createDataFrame(graded, "corpus string, query string")
    rules = {"default": "english", "clusters": "results"}
    found = ids(assign_clusters(table, language=rules, known=log))
    assert found == {
        ("shop", "who?"): query_cluster_id("who\nWHO"),
        # A spelling that the log lacks, of a form with two clusters, and of one with a single one.
        ("shop", "whos"): None,
        ("shop", "TO BE"): query_cluster_id("to be"),
        ("shop", "new"): None,
        ("wiki", "who is"): query_cluster_id("who\nwho is"),
    }
    assert ids(assign_clusters(table, language="english", known=log))["shop", "whos"] == query_cluster_id("who")


def test_what_an_engine_lists_counts_before_what_the_log_shows(spark):
    # The log has `who` and `The Who` together; the engine tells them apart, and says nothing of the others.
    listed = [("shop", "who", doc, float(place)) for place, doc in enumerate("pqrstuvw")]
    listed += [("shop", "The Who", doc, float(place)) for place, doc in enumerate("abcde")]
    listed += [("blog", "who", "p", 1.0)]
    lists = spark.createDataFrame(listed, "corpus string, query string, doc_id string, place double")
    found = ids(split_by_results(serps(spark, PAGES), lists=lists))
    assert found["shop", "The Who"] == query_cluster_id("who")
    assert found["shop", "who"] == query_cluster_id("who\nwho")
    assert found["shop", "WHO"] == found["shop", "who?"] == query_cluster_id("who\nWHO")
    # The sixth place and those behind it do not count.
    more = [*listed, *(("shop", "who?", doc, float(place)) for place, doc in enumerate("pqrstABC"))]
    lists = spark.createDataFrame(more, "corpus string, query string, doc_id string, place double")
    found = ids(split_by_results(serps(spark, PAGES), lists=lists.repartition(3)))
    assert found["shop", "who?"] == found["shop", "who"] == query_cluster_id("who\nwho")
