"""What kedro-viz shows of datasets: small, rounded, the headline first, and never by Spark."""

from __future__ import annotations

import inspect
import json

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from rankhammer.datasets import FilesDataset, HistoryDataset, TableDataset, previews
from rankhammer.datasets.reports import ReportDataset, ReportTableDataset


def written(folder, name, **columns):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(columns), path)


def test_a_table_shows_counts_and_sizes_and_below_them_its_first_rows(tmp_path):
    for part in ("part-0.parquet", "part-1.parquet"):
        written(tmp_path, part, doc_ids=[["a", "b"]] * 3, corpus=["x"] * 3, relevance=[1 / 3] * 3)
    (tmp_path / "_columns.json").write_text("{}")
    shown = TableDataset(filepath=str(tmp_path)).preview(nrows=2)
    assert shown["columns"] == ["corpus", "doc_ids", "relevance"]
    assert shown["data"][1] == ["x", '["a", "b"]', 0.3333]
    assert len(shown["data"]) == 2 + 1
    assert shown["data"][0][:2] == ["6 rows in all", "3 columns"]


def test_a_partition_is_a_column_of_text(tmp_path):
    written(tmp_path, "corpus=001/part-0.parquet", qid=[0])
    shown = previews.of_table(str(tmp_path), nrows=5)
    assert (shown["columns"], shown["data"][1]) == (["corpus", "qid"], ["001", 0])


@pytest.mark.parametrize("uri", ["hdfs://nn:8020/serps", "s3a://bucket/serps"])
def test_a_table_on_a_cluster_is_not_opened(uri):
    assert "on a cluster" in TableDataset(filepath=uri).preview()["data"][0][0]


def test_a_table_that_is_not_there_yet_says_so(tmp_path):
    assert "kedro run" in TableDataset(filepath=str(tmp_path / "none")).preview()["data"][0][0]


def test_files_are_listed_with_their_sizes(tmp_path):
    (tmp_path / "main").mkdir()
    (tmp_path / "main/model.ubj").write_bytes(b"1" * 2300)
    assert FilesDataset(filepath=str(tmp_path)).preview()["data"] == [["main/model.ubj", "2.3 kB"]]


def test_a_report_begins_with_the_headline_and_the_closing_tables_order(tmp_path):
    interval = {"mean": 0.123456, "lower": 0.1, "upper": 0.2}
    facts = {
        "long": [1, 2],
        "n_rows": 3,
        "truth": "clicks",
        "ndcg@10": {"ranker": interval, "baseline": interval | {"lower": None}},
        "share": 0.123456,
    }
    dataset = ReportDataset(filepath=str(tmp_path / "report.json"))
    dataset.save({"corpora": {"de": facts}, "failures": [], "metric": "ndcg@10"})
    shown = json.loads(dataset.preview())
    assert list(shown) == ["headline", "metric", "corpora", "failures"]
    assert shown["headline"] == {"de": "ndcg@10: baseline 0.123 (no interval); ranker 0.123 (0.100 to 0.200)"}
    assert list(shown["corpora"]["de"]) == ["ndcg@10", "truth", "n_rows", "share", "long"]
    assert list(shown["corpora"]["de"]["ndcg@10"].values()) == ["0.123 (no interval)", "0.123 (0.100 to 0.200)"]
    assert shown["corpora"]["de"]["share"] == 0.1235


def test_a_tables_headline_rows_come_first(tmp_path):
    dataset = ReportTableDataset(filepath=str(tmp_path / "summary.csv"), save_args={"index": False})
    dataset.save(
        pd.DataFrame({"metric": ["mrr", "ndcg@10", "ndcg@10"], "truth": ["c", "c", "r"], "mean": [None, 2 / 3, 1]})
    )
    shown = dataset.preview(first={"metric": "ndcg@10", "truth": "r"})
    assert shown["data"] == [["ndcg@10", "r", 1.0], ["ndcg@10", "c", 0.6667], ["mrr", "c", ""]]


def test_runs_are_listed_with_what_their_rankers_reached(tmp_path):
    history = HistoryDataset(filepath=str(tmp_path))
    figures = {"training": {"de": {"ndcg@10": {"ranker": {"mean": 0.51234}}}}}
    history.save({"ended": "2026-11-28T12:00:00+00:00", "state": "done", "metric": "ndcg@10", "figures": figures})
    history.save({"state": "failed"})
    failed, done = history.preview()["data"]
    assert failed[2] == "failed"
    assert (done[1], done[-1]) == ("2026-11-28 12:00", "de 0.512")


@pytest.mark.parametrize("kind", [TableDataset, FilesDataset, HistoryDataset, ReportTableDataset, ReportDataset])
def test_kedro_viz_reads_the_kind_of_a_preview_from_its_annotation(kind):
    annotation = inspect.signature(kind.preview).return_annotation
    assert annotation in ("TablePreview", "JSONPreview")


@pytest.mark.parametrize(
    ("value", "shown"),
    [(float("nan"), "nan"), (123456.0, 123500.0), (True, True), ("a" * 99, "a" * 57 + "..."), ([False, True], ".x")],
)
def test_a_cell_is_short(value, shown):
    assert previews.cell(value) == shown
