from __future__ import annotations

from datetime import datetime

import pytest
from pyspark.sql import functions as F

from rankhammer.click_logs.casts import as_clicked, as_corpus, as_position, as_timestamp

NOON = datetime(2024, 5, 1, 12)  # noqa: DTZ001 - in the session's time zone, UTC
NOON_S = 1_714_564_800


def cast_all(spark, function, values, type_name):
    table = spark.createDataFrame([(value,) for value in values], f"value {type_name}")
    return [row[0] for row in table.select(function(F.col("value"), type_name)).collect()]


def test_a_row_that_names_no_corpus_or_a_blank_one_belongs_to_the_default(spark):
    def read(value, _):
        return as_corpus(value, "main")

    assert cast_all(spark, read, ["fr", "", "  ", None], "string") == ["fr", "main", "main", "main"]
    assert cast_all(spark, read, [7], "int") == ["7"]


def test_click_flags_are_read_in_every_usual_spelling(spark):
    texts = ["true", "False", "1", "0", "3", " 1 ", "1.0", "0.0", "-1", "maybe", "", None]
    expected = [True, False, True, False, True, True, True, False, None, None, None, None]
    assert cast_all(spark, as_clicked, texts, "string") == expected


def test_click_counts_above_zero_are_clicks(spark):
    assert cast_all(spark, as_clicked, [0, 1, 7, -2, None], "int") == [False, True, True, None, None]


def test_positions_are_numbers_however_they_are_written(spark):
    assert cast_all(spark, as_position, ["3", " 3", "3.0", "3.5", "three", "NaN", None], "string") == [
        3.0, 3.0, 3.0, 3.5, None, None, None,
    ]  # fmt: skip
    assert cast_all(spark, as_position, [3, None], "int") == [3.0, None]


@pytest.mark.parametrize("epoch", [NOON_S, NOON_S * 1000, NOON_S * 1_000_000])
def test_epochs_are_read_in_seconds_milliseconds_and_microseconds(spark, epoch):
    assert cast_all(spark, as_timestamp, [epoch], "bigint") == [NOON]
    assert cast_all(spark, as_timestamp, [str(epoch)], "string") == [NOON]


def test_iso_texts_with_and_without_a_zone_are_read(spark):
    texts = ["2024-05-01T12:00:00Z", "2024-05-01 12:00:00", "2024-05-01T14:00:00.000+0200", "2024-05-01T14:00:00+02:00"]
    assert cast_all(spark, as_timestamp, texts, "string") == [NOON] * 4


def test_what_is_no_time_is_null(spark):
    assert cast_all(spark, as_timestamp, ["someday", "", "20240501", None], "string") == [None] * 4
