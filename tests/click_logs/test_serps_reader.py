from __future__ import annotations

import json

import pytest

from rankhammer.click_logs.faults import NOT_A_PAGE
from rankhammer.click_logs.serps import SerpOptions, Serps
from rankhammer.errors import SchemaError

SCHEMA = "serp_id string, query string, doc_ids array<string>, clicked array<boolean>"


def read(raw, **options):
    return sorted(
        Serps(SerpOptions(**options)).to_serps(raw).collect(), key=lambda row: (row.serp_id or "", row.query or "")
    )


@pytest.mark.parametrize(
    ("row", "fault"),
    [
        (("p", "q", ["a"], [True]), None),
        (("p", "q", ["a", "b"], [True]), "unequal_arrays"),
        (("p", "q", ["a"], None), "unequal_arrays"),
        (("p", "q", [], []), "empty_result_list"),
        (("p", "q", None, None), "empty_result_list"),
        (("p", "q", ["a", None], [True, False]), "missing_doc_id"),
        (("p", "q", ["a"], [None]), "unreadable_clicked"),
        (("p", None, ["a"], [True]), "missing_query"),
        ((None, "q", ["a"], [True]), "missing_serp_id"),
    ],
)
def test_each_fault_has_its_reason(spark, row, fault):
    assert [found.fault for found in read(spark.createDataFrame([row], SCHEMA))] == [fault]


def test_json_lines_without_ids_get_ids_from_their_content(spark, tmp_path):
    pages = [{"query": "q", "doc_ids": [1, 2], "clicked": [0, 1]}] * 2 + [
        {"query": "r", "doc_ids": [3], "clicked": [0]}
    ]
    (tmp_path / "log.json").write_text("\n".join(map(json.dumps, pages)))
    found = read(spark.read.json(str(tmp_path)))
    again = read(spark.read.json(str(tmp_path)).repartition(3))
    assert found == again
    assert len({row.serp_id for row in found}) == len(pages)
    assert sorted((row.query, row.doc_ids, row.clicked) for row in found) == [
        ("q", ["1", "2"], [False, True]),
        ("q", ["1", "2"], [False, True]),
        ("r", ["3"], [False]),
    ]


def test_of_equal_pages_with_one_id_one_is_kept_and_the_others_are_counted(spark):
    raw = spark.createDataFrame([("p", "q", ["a"], [True])] * 3, SCHEMA)
    assert sorted(str(row.fault) for row in read(raw)) == ["None", NOT_A_PAGE, NOT_A_PAGE]
    assert sum(entry.n for row in read(raw) for entry in row.tally or ()) == 2
    as_faults = sorted(str(row.fault) for row in read(raw, duplicates="fault"))
    assert as_faults == ["None", "duplicate_serp_id", "duplicate_serp_id"]


@pytest.mark.parametrize(("value", "kind"), [(float("nan"), "double"), (0.5, "double"), ("maybe", "string")])
def test_a_flag_that_is_none_is_a_fault(spark, value, kind):
    raw = spark.createDataFrame([("p", "q", ["a"], [value])], SCHEMA.replace("boolean", kind))
    assert [row.fault for row in read(raw)] == ["unreadable_clicked"]


def test_of_different_pages_with_one_id_none_is_kept(spark):
    raw = spark.createDataFrame([("p", "q", ["a"], [True]), ("p", "r", ["a"], [True])], SCHEMA)
    assert [row.fault for row in read(raw)] == ["duplicate_serp_id"] * 2


def test_one_id_in_two_corpora_is_two_pages(spark):
    rows = [("x", "p", "q", ["a"], [True]), ("y", "p", "q", ["a"], [True])]
    assert [row.fault for row in read(spark.createDataFrame(rows, f"corpus string, {SCHEMA}"))] == [None, None]


def test_plain_value_where_an_array_is_needed_is_a_schema_error(spark):
    raw = spark.createDataFrame(
        [("p", "q", "a", True)], "serp_id string, query string, doc_ids string, clicked boolean"
    )
    with pytest.raises(SchemaError, match="has type string; expected an array"):
        read(raw)
