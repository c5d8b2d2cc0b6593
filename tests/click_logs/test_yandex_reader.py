from __future__ import annotations

from pathlib import Path

import pytest

from rankhammer.click_logs.faults import OUTSIDE_LIST
from rankhammer.click_logs.yandex_wscd import YandexOptions, YandexWscd

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "yandex_wscd"


def read(spark, *lines, **options):
    raw = spark.createDataFrame([(line,) for line in lines], "value string")
    found = YandexWscd(YandexOptions(**options)).to_serps(raw).collect()
    return sorted(found, key=lambda row: (row.query, row.doc_ids, row.clicked))


def test_a_line_holds_many_pages(spark):
    found = read(spark, "7_1\t1,2 : 2; 7_1\t3,4 :; ", "8_1\t5 : 5;")
    assert [(row.query, row.doc_ids, row.clicked) for row in found] == [
        ("7_1", ["1", "2"], [False, True]),
        ("7_1", ["3", "4"], [False, False]),
        ("8_1", ["5"], [True]),
    ]
    assert {row.fault for row in found} == {None}


def test_several_clicks_on_a_document_count_once_in_list_order(spark):
    (found,) = read(spark, "7_1\t1,2,3 : 3 , 1 , 3;")
    assert found.clicked == [True, False, True]


def test_clicks_outside_the_list_are_counted(spark):
    (found,) = read(spark, "7_1\t1,2 : 9 , 2;")
    assert (found.clicked, found.fault, found.tally) == ([False, True], None, [(OUTSIDE_LIST, 1)])


def test_equal_pages_keep_ids_of_their_own_however_lines_are_cut(spark):
    page = "7_1\t1,2 : 2;"
    on_one_line, on_three = read(spark, page * 3), read(spark, page, page, page)
    assert on_one_line == on_three
    assert len({row.serp_id for row in on_one_line}) == 3


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("7_1 1,2 : 2;", "unreadable_record"),
        ("7_1\t1,2;", "unreadable_record"),
        ("7_1\t:;", "empty_result_list"),
        (f"7_1\t{'1,' * 50_000}2 : 2", "unreadable_record"),
    ],
)
def test_faulty_records_are_kept_with_their_reason(spark, text, fault):
    assert [row.fault for row in read(spark, text)] == [fault]


@pytest.mark.real
@pytest.mark.skipif(not DATA.exists(), reason="the real log is not beside the repository")
def test_both_real_samples_are_read_whole(spark):
    reader = YandexWscd(YandexOptions())
    pages = {name: reader.to_serps(spark.read.text(str(DATA / name))) for name in ("trainSample", "testSample")}
    assert {name: page.where("fault is null").count() for name, page in pages.items()} == {
        "trainSample": 35_064,
        "testSample": 21_413,
    }
    both = reader.to_serps(spark.read.text([str(DATA / "trainSample"), str(DATA / "testSample")]))
    assert both.select("serp_id").distinct().count() == 35_064 + 21_413
