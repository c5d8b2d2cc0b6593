"""From the judgments table to the files of every corpus and target."""

from __future__ import annotations

import json
import logging

import pytest

from rankhammer.exporters.judgments import JudgmentFiles, base, judged_queries
from rankhammer.exporters.judgments.base import as_query
from rankhammer.exporters.judgments.quepid import Quepid, QuepidOptions
from rankhammer.exporters.judgments.srw import Srw, SrwOptions
from rankhammer.exporters.judgments.trec import Trec, TrecOptions

COLUMNS = "corpus string, query string, query_cluster_id string, doc_id string, grade int, n_examined double"
ROWS = [
    ("de", "schuh", "c1", "d1", 3, 9.0),
    ("de", "schuh", "c1", "d2", 0, 2.0),
    ("de", "schuh", "c1", "d3", None, 0.1),
    ("de", "hut", "c2", "d 4", 1, 2.0),
    ("en", "shoe", "c1", "d1", 4, 5.0),
    ("ungraded", "shoe", "c1", "d1", None, 0.5),
]


def exporters():
    return [Srw(SrwOptions()), Quepid(QuepidOptions()), Trec(TrecOptions())]


def files(judgments) -> dict[str, bytes]:
    parsed: dict[str, bytes] = {}
    for name, content in JudgmentFiles(judgments, exporters()):
        parsed[name] = parsed.get(name, b"") + content
    return parsed


@pytest.fixture(scope="module")
def parsed(spark):
    return files(spark.createDataFrame(ROWS, COLUMNS))


def test_every_corpus_has_a_folder_a_target_and_only_graded_judgments(parsed) -> None:
    assert set(parsed) == {
        f"{corpus}/{name}"
        for corpus in ("de", "en")
        for name in (
            *("srw/judgments-0001.json", "srw/manifest.json", "quepid/ratings.csv", "quepid/manifest.json"),
            *("trec/qrels.txt", "trec/topics.tsv", "trec/manifest.json"),
        )
    }
    assert parsed["de/quepid/ratings.csv"] == b"query,docid,rating\nhut,d 4,1\nschuh,d1,3\nschuh,d2,0\n"
    assert parsed["en/trec/qrels.txt"] == b"c1 0 d1 4\n"


def test_a_judgment_that_a_format_cannot_hold_is_left_out_and_counted(parsed, spark, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        files(spark.createDataFrame(ROWS, COLUMNS))
    assert caplog.messages == ["de/trec: 1 judgments left out: the document id has white space (option escape)."]
    assert parsed["de/trec/qrels.txt"] == b"c1 0 d1 3\nc1 0 d2 0\n"
    assert parsed["de/trec/topics.tsv"] == b"c1\tschuh\n"
    assert json.loads(parsed["de/trec/manifest.json"]) == {
        "corpus": "de",
        "target": "trec",
        "files": ["qrels.txt", "topics.tsv"],
        "n_queries": 1,
        "n_judgments": 2,
        "left_out": {"the document id has white space (option escape)": 1},
    }
    assert json.loads(parsed["de/srw/manifest.json"])["n_judgments"] == 3


def test_a_table_without_a_graded_judgment_gives_no_file(spark) -> None:
    assert files(spark.createDataFrame(ROWS[-1:], COLUMNS)) == {}


def test_no_target_is_no_work() -> None:
    assert list(JudgmentFiles(None, [])) == []


def test_one_text_of_two_clusters_is_one_query_with_one_grade_a_document(spark) -> None:
    rows = [
        ("de", "hut", "c2", "more", 1, 2.0),
        ("de", "hut", "c1", "more", 4, 7.0),
        ("de", "hut", "c3", "equal", 0, 3.0),
        ("de", "hut", "c2", "equal", 2, 3.0),
        ("de", "hut", "c3", "one", 3, 1.0),
        ("de", "hut", "c1", "ungraded", None, 50.0),
    ]
    (row,) = judged_queries(spark.createDataFrame(rows, COLUMNS)).collect()
    query = as_query(row)
    assert (query.text, query.topic_id) == ("hut", "c1")
    assert list(query.grades.items()) == [("equal", 2), ("more", 4), ("one", 3)]


@pytest.mark.parametrize(("n_partitions", "partition_rows"), [(1, 100), (7, 10), (3, 1)])
def test_neither_row_order_nor_partitions_change_a_byte(
    spark, monkeypatch, n_partitions: int, partition_rows: int
) -> None:
    texts = ["Z", "a", "é", "万", "🙂", "ﬀ", 'a "b"', "a, b", " "]
    rows = [("de", text, f"c{n}", f"{text}{d}", d % 5, 1.0) for n, text in enumerate(texts) for d in range(12)]
    rows += [("en", *row[1:]) for row in rows]
    once = files(spark.createDataFrame(rows, COLUMNS))
    monkeypatch.setattr(base, "_PARTITION_ROWS", partition_rows)
    assert files(spark.createDataFrame(rows[::-1], COLUMNS).repartition(n_partitions, "doc_id")) == once
    lists = json.loads(once["de/srw/judgments-0001.json"])["judgmentRatings"]
    assert [rated["query"] for rated in lists] == sorted(texts, key=str.encode)
