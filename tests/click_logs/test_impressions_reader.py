from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError
from pyspark.sql import functions as F

from rankhammer.click_logs.faults import DUPLICATE_ROWS, GAPS_CLOSED
from rankhammer.click_logs.impressions import ImpressionOptions, Impressions
from rankhammer.datasets import InputDataset
from rankhammer.errors import SchemaError

SCHEMA = (
    "corpus string, serp_id string, session_id string, query string, shown_at timestamp, "
    "doc_id string, position int, clicked boolean"
)
AT = datetime(2024, 5, 1, 12)  # noqa: DTZ001 - Spark takes the session's time zone, which is UTC in tests


def read(raw, **options):
    return {row.serp_id: row for row in Impressions(ImpressionOptions(**options)).to_serps(raw).collect()}


def page(*shown, serp_id="p", query="q", session_id="s"):
    return [("main", serp_id, session_id, query, AT, doc, position, clicked) for doc, position, clicked in shown]


def test_documents_stand_in_the_order_of_their_positions(spark):
    rows = page(("c", 3, True), ("a", 1, False), ("b", 2, True))
    found = read(spark.createDataFrame(rows, SCHEMA).repartition(3))["p"]
    assert (found.doc_ids, found.clicked, found.fault) == (["a", "b", "c"], [False, True, True], None)
    assert (found.corpus, found.session_id, found.query, found.shown_at) == ("main", "s", "q", AT)


def test_tenth_position_follows_the_ninth_when_positions_are_text(spark):
    rows = [("p", "q", f"d{i}", str(i), "0") for i in range(1, 12)]
    found = read(
        spark.createDataFrame(rows, "serp_id string, query string, doc_id string, position string, clicked string")
    )
    assert found["p"].doc_ids == [f"d{i}" for i in range(1, 12)]


def test_page_with_one_document_is_sound(spark):
    assert read(spark.createDataFrame(page(("a", 1, False)), SCHEMA))["p"].fault is None


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        (page(("a", 0, True), ("b", 1, False)), "bad_position"),
        (page(("a", -1, True)), "bad_position"),
        (page(("a", None, True)), "missing_position"),
        (page(("a", 1, True), ("b", 1, False)), "repeated_position"),
        (page(("a", 1, True), ("a", 1, False)), "repeated_position"),
        (page(("a", 10_001, True)), "unreadable_position"),
        (page((None, 1, True)), "missing_doc_id"),
        (page((" ", 1, True)), "missing_doc_id"),
        (page(("a", 1, None)), "unreadable_clicked"),
        (page(("a", 1, True), query=None), "missing_query"),
        (page(("a", 1, True), query=" \u3000"), "missing_query"),
        (page(("a", 1, True)) + page(("b", 2, True), query="r"), "conflicting_query"),
    ],
)
def test_one_faulty_row_makes_its_page_faulty(spark, rows, fault):
    raw = spark.createDataFrame(rows + page(("a", 1, True), serp_id="sound"), SCHEMA)
    found = read(raw)
    assert (found["p"].fault, found["sound"].fault) == (fault, None)


def test_copies_of_a_row_are_dropped_and_counted_unless_they_are_to_be_faults(spark):
    raw = spark.createDataFrame(page(("a", 1, True), ("b", 2, False)) * 2 + page(("a", 1, True)), SCHEMA)
    found = read(raw)["p"]
    assert (found.doc_ids, found.clicked, found.fault) == (["a", "b"], [True, False], None)
    assert [(entry.what, entry.n) for entry in found.tally] == [(DUPLICATE_ROWS, 3)]
    kept = read(raw, duplicates="fault")["p"]
    assert (kept.fault, kept.tally) == ("repeated_position", None)


@pytest.mark.parametrize(
    ("column", "kind", "value", "fault"),
    [
        ("position", "bigint", (1 << 63) - 1, "unreadable_position"),
        ("clicked", "double", float("nan"), "unreadable_clicked"),
        ("doc_id", "binary", b"\xff\xfe", "unreadable_id"),
        ("shown_at", "bigint", 202405011200, "unreadable_shown_at"),
    ],
)
def test_a_value_that_does_not_fit_is_a_fault_and_stops_nothing(spark, column, kind, value, fault):
    raw = spark.createDataFrame(page(("a", 1, True)), SCHEMA).drop(column)
    odd = spark.createDataFrame([(value,)], f"{column} {kind}")
    assert read(raw.crossJoin(odd))["p"].fault == fault


def test_ids_that_came_as_floats_or_bytes_are_read_exactly(spark):
    raw = spark.createDataFrame(
        [(20000003.0, b"q", 7.0, 1.0, 0.0), (20000003.0, b"q", 8.0, 2.0, 1.0)],
        "serp_id double, query binary, doc_id double, position double, clicked double",
    )
    found = read(raw)["20000003"]
    assert (found.query, found.doc_ids, found.clicked, found.fault) == ("q", ["7", "8"], [False, True], None)


def test_times_without_a_zone_are_in_the_zone_that_an_option_names(spark):
    raw = spark.createDataFrame(page(("a", 1, True)), SCHEMA).withColumn("shown_at", F.lit("2024-05-01 14:00:00"))
    assert read(raw, time_zone="Europe/Paris")["p"].shown_at == AT
    with pytest.raises(ValidationError, match="Did you mean 'Europe/Paris'"):
        ImpressionOptions(time_zone="Europe/Pari")
    with pytest.raises(ValueError, match="there is no time zone 'localtime'"):
        ImpressionOptions(time_zone="localtime")


def test_rows_without_a_page_are_counted_one_by_one(spark):
    raw = spark.createDataFrame(page(("a", 1, True), ("b", 2, True), serp_id=None), SCHEMA)
    faults = [row.fault for row in Impressions(ImpressionOptions()).to_serps(raw).collect()]
    assert faults == ["missing_serp_id", "missing_serp_id"]


def test_gaps_between_positions_are_closed_and_noted(spark):
    rows = page(("a", 2, True), ("b", 5, False)) + page(("a", 1, True), ("b", 2, False), serp_id="whole")
    found = read(spark.createDataFrame(rows, SCHEMA))
    assert (found["p"].doc_ids, found["p"].fault, found["p"].note) == (["a", "b"], None, GAPS_CLOSED)
    assert found["whole"].note is None


def test_a_log_that_counts_from_zero_says_so_in_an_option(spark):
    raw = spark.createDataFrame(page(("a", 0, True), ("b", 1, False)), SCHEMA)
    found = read(raw, first_position=0)["p"]
    assert (found.doc_ids, found.fault, found.note) == (["a", "b"], None, None)


def test_columns_are_found_under_the_users_names_even_inside_structs(spark):
    raw = spark.createDataFrame(
        [("p", "q", ("sku-1", 1), 2)], "request string, text string, hit struct<sku: string, rank: int>, n_clicks int"
    )
    columns = {
        "serp_id": "request",
        "query": "text",
        "doc_id": "hit.sku",
        "position": "hit.rank",
        "clicked": "n_clicks",
    }
    found = read(raw, columns=columns, corpus="shop")["p"]
    assert (found.corpus, found.doc_ids, found.clicked) == ("shop", ["sku-1"], [True])
    assert (found.session_id, found.shown_at) == (None, None)


def test_a_csv_of_texts_is_read(spark, tmp_path):
    (tmp_path / "log.csv").write_text(
        "serp_id,session_id,query,shown_at,doc_id,position,clicked\n"
        "7,1,files,2024-05-01T12:00:00Z,11,1,0\n"
        "7,1,files,2024-05-01T12:00:00Z,12,2,3\n"
        "8,1,files,someday,11,1,1\n"
    )
    found = read(spark.read.csv(str(tmp_path), header=True))
    assert (found["7"].doc_ids, found["7"].clicked, found["7"].shown_at) == (["11", "12"], [False, True], AT)
    assert found["8"].fault == "unreadable_shown_at"


@pytest.mark.parametrize(
    ("codec", "sep", "load_args"),
    [
        ("utf-16", ";", {"encoding": "UTF-16", "multiLine": True}),
        ("latin-1", "\t", {"encoding": "ISO-8859-1"}),
        ("cp1252", "|", {"encoding": "windows-1252"}),
        ("utf-8-sig", ",", {}),
    ],
)
def test_a_csv_is_read_in_any_encoding_and_with_any_separator(spark, tmp_path, codec, sep, load_args):
    cells = [["serp_id", "query", "doc_id", "position", "clicked"], ["p", "grüne Äpfel", "ä1", "1", "1"]]
    lines = "".join(f"{sep.join(row)}\n" for row in cells)
    (tmp_path / "log.csv").write_bytes(lines.encode(codec))
    loaded = InputDataset(
        filepath=str(tmp_path / "log.csv"), file_format="csv", load_args={"header": True, "sep": sep, **load_args}
    ).load()
    found = read(loaded)["p"]
    assert (found.query, found.doc_ids, found.clicked, found.fault) == ("grüne Äpfel", ["ä1"], [True], None)


@pytest.mark.parametrize("missing", ["serp_id", "query", "doc_id", "position", "clicked"])
def test_missing_column_is_named_with_those_found_and_where_to_map_it(spark, missing):
    raw = spark.createDataFrame(page(("a", 1, True)), SCHEMA).drop(missing)
    with pytest.raises(SchemaError) as caught:
        Impressions(ImpressionOptions()).to_serps(raw)
    text = str(caught.value)
    assert f"no column '{missing}'" in text
    assert "'session_id'" in text
    assert f"conf/<env>/globals.yml which column it is: click_log.options.columns.{missing}" in text


def test_an_optional_column_that_the_user_names_must_exist(spark):
    raw = spark.createDataFrame(page(("a", 1, True)), SCHEMA)
    with pytest.raises(SchemaError, match="column 'wiki', to be read as 'corpus'"):
        read(raw, columns={"corpus": "wiki"})


def test_array_where_a_plain_value_is_needed_is_a_schema_error(spark):
    raw = spark.createDataFrame(
        [("p", "q", ["a"], 1, True)],
        "serp_id string, query string, doc_id array<string>, position int, clicked boolean",
    )
    with pytest.raises(SchemaError, match="array<string>; expected one plain value"):
        read(raw)


def test_a_line_beyond_the_limit_of_spark_yml_takes_no_other_with_it(spark, tmp_path):
    settings = yaml.safe_load((Path(__file__).parents[2] / "conf" / "base" / "spark.yml").read_text())
    name = "mapreduce.input.linerecordreader.line.maxlength"
    assert settings[f"spark.hadoop.{name}"] == 64 << 20
    rows = ["serp_id,query,doc_id,position,clicked", "p,q,a,1,1", f"long,{'q' * 5000},a,1,1", "r,q,a,1,1"]
    (tmp_path / "log.csv").write_text("\n".join(rows))
    found = read(spark.read.option(name, 1000).csv(str(tmp_path), header=True))
    assert {serp_id for serp_id, row in found.items() if row.fault is None} == {"p", "r"}


@pytest.mark.parametrize("word", ["null", "NaN", "\\N"])
def test_rows_whose_page_id_is_a_word_for_nothing_are_not_put_together(spark, word):
    rows = page(("a", 1, True), serp_id=word) + page(("b", 2, False), serp_id=word, query="other")
    raw = spark.createDataFrame(rows, SCHEMA)
    found = Impressions(ImpressionOptions()).to_serps(raw).collect()
    assert [(row["serp_id"], row["doc_ids"]) for row in sorted(found, key=lambda row: row["doc_ids"])] == [
        (None, ["a"]),
        (None, ["b"]),
    ]
