"""One strict cast for each kind of column: what does not fit is unreadable, and never a guess."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from pyspark.sql import functions as F

from rankhammer.casts import accepts, as_flag, as_grade, as_id, as_number, as_position, as_time, is_blank, is_unreadable
from rankhammer.click_logs.columns import as_corpus

NOON = datetime(2024, 5, 1, 12)  # noqa: DTZ001 - in the session's time zone, UTC
NOON_S = int(NOON.replace(tzinfo=UTC).timestamp())
NAN, INF = float("nan"), float("inf")
UNREADABLE = "unreadable"


def read(spark, cast, values, type_name, **options):
    """Return what each value was read as, UNREADABLE where it does not fit."""
    table = spark.createDataFrame([(value,) for value in values], f"value {type_name}")
    found = cast(F.col("value"), type_name, **options)
    bad = is_unreadable(F.col("value"), type_name, found)
    return [UNREADABLE if is_bad else value for value, is_bad in table.select(found, bad).collect()]


def test_a_row_that_names_no_corpus_or_a_blank_one_belongs_to_the_default(spark):
    table = spark.createDataFrame([("fr",), ("",), (" \u200b",), (None,)], "value string")
    assert [row[0] for row in table.select(as_corpus(F.col("value"), "main")).collect()] == ["fr", *["main"] * 3]


def test_what_nobody_can_see_is_blank(spark):
    texts = ["", " ", "\t\u3000", "\u200b\ufeff\u00ad", "\u2066\u034f\U000e0020", "\x00", "x", "\u200ba", "🎉"]
    table = spark.createDataFrame([(text,) for text in texts], "value string")
    assert [row[0] for row in table.select(is_blank(F.col("value"))).collect()] == [True] * 6 + [False] * 3


@pytest.mark.parametrize(
    ("type_name", "values", "expected"),
    [
        ("string", ["007", " a", "", None], ["007", " a", None, None]),
        ("bigint", [7, None], ["7", None]),
        ("double", [20000003.0, -3.0, NAN, 1.5, INF, 1e300], ["20000003", "-3", None, *[UNREADABLE] * 3]),
        ("float", [3.0, 2.0**24 - 1, 2.0**24, 2.0**25], ["3", "16777215", UNREADABLE, UNREADABLE]),
        # 2^53 may have been 2^53 + 1 in the log.
        ("double", [2.0**53 - 1, 2.0**53, -(2.0**53)], ["9007199254740991", UNREADABLE, UNREADABLE]),
        ("decimal(20,1)", [Decimal("1.0"), Decimal("1.5")], ["1", UNREADABLE]),
        ("binary", [b"abc", b"\xff\xfe"], ["abc", UNREADABLE]),
    ],
)
def test_ids_are_text_as_written_or_whole_numbers(spark, type_name, values, expected):
    assert read(spark, as_id, values, type_name) == expected


@pytest.mark.parametrize(
    ("type_name", "values", "expected"),
    [
        (
            "string",
            ["true", "False", "1", "0", "3", " 1 ", "1.0", "0.0"],
            [True, False, True, False, *[True] * 3, False],
        ),
        ("string", ["-1", "maybe", "NaN", "Infinity", "0.5", "1d", "9" * 30], [UNREADABLE] * 7),
        ("string", ["", None], [None, None]),
        ("int", [0, 1, 7, -2, None], [False, True, True, UNREADABLE, None]),
        ("double", [0.0, 2.0, NAN, INF, 0.5], [False, True, None, UNREADABLE, UNREADABLE]),
        ("boolean", [True, None], [True, None]),
    ],
)
def test_flags_are_true_or_false_or_counts(spark, type_name, values, expected):
    assert read(spark, as_flag, values, type_name) == expected


def test_positions_are_whole_numbers_however_they_are_written(spark):
    texts = ["3", " 3", "3.0", "0", "-1", "", "3.5", "three", "NaN", "9223372036854775808", "51"]
    expected = [3, 3, 3, 0, -1, None, *[UNREADABLE] * 5]
    assert read(spark, as_position, texts, "string", max_position=50) == expected
    assert read(spark, as_position, [3, (1 << 63) - 1], "bigint") == [3, UNREADABLE]


def test_grades_are_whole_numbers_from_0_to_31(spark):
    texts = ["0", "2.0", "31", "", "0.9", "-2", "100", "good"]
    assert read(spark, as_grade, texts, "string") == [0, 2, 31, None, *[UNREADABLE] * 4]
    assert read(spark, as_grade, [0.0, 0.5, NAN], "double") == [0, UNREADABLE, None]


def test_numbers_are_finite(spark):
    texts = ["1.5", "-1e3", ".5", "", "abc", "Infinity", "1d", "0x1p3"]
    assert read(spark, as_number, texts, "string") == [1.5, -1000.0, 0.5, None, *[UNREADABLE] * 4]
    assert read(spark, as_number, [2.5, NAN, INF], "double") == [2.5, None, UNREADABLE]


@pytest.mark.parametrize("unit", [1, 10**3, 10**6, 10**9])
def test_epochs_are_read_in_seconds_milliseconds_microseconds_and_nanoseconds(spark, unit):
    epoch = NOON_S * unit
    assert read(spark, as_time, [epoch], "bigint") == read(spark, as_time, [str(epoch)], "string") == [NOON]
    assert read(spark, as_time, [float(epoch)], "double") == [NOON]


def test_texts_of_the_closed_list_are_times(spark):
    texts = [
        "2024-05-01T12:00:00Z",
        "2024-05-01 12:00:00",
        "2024-05-01 12:00 UTC",
        "2024-05-01T14:00:00.000+0200",
        "2024-05-01T14:00+02:00",
        "20240501120000",
        "20240501T140000+02",
        "2024-05-01T12:00:00.000000001Z",
    ]
    assert read(spark, as_time, texts, "string") == [NOON] * len(texts)
    assert read(spark, as_time, ["2024-05-01"], "string") == [NOON.replace(hour=0)]


@pytest.mark.parametrize("unit", ["", "000", "000000", "000000000"])
def test_epochs_lie_between_1990_and_2099_to_the_second(spark, unit):
    first, last = 631_152_000, 4_102_444_799
    for seconds in (first, first + 7_999, 631_999_999, 999_999_999, 10**9, 4_099_999_999, 4_102_400_000, last):
        assert UNREADABLE not in read(spark, as_time, [f"{seconds}{unit}"], "string"), seconds
    outside = [f"{seconds}{unit}" for seconds in (600_000_000, first - 1, last + 1, 4_102_500_000)]
    assert read(spark, as_time, outside, "string") == [UNREADABLE] * 4


@pytest.mark.parametrize(
    ("type_name", "values"),
    [
        # yyyyMMddHHmm, yyyyMMddHH (an epoch of 2034, too), yyyyMMdd, a year.
        ("string", ["202405011200", "2024050112", "20240501", "2024"]),
        ("bigint", [202405011200, 2024050112, 20240501, 0, -5, 10**19 // 2]),
        ("string", ["12:00:00", "T12:00", "now", "today", "epoch", "someday", "01/02/2024", "20241341120000"]),
        ("string", ["1989-12-31", "2100-01-01", "9999-12-31T00:00:00Z"]),
        ("timestamp", [datetime(1600, 1, 1), datetime(2111, 1, 1)]),  # noqa: DTZ001
    ],
)
def test_everything_else_is_no_time(spark, type_name, values):
    assert read(spark, as_time, values, type_name) == [UNREADABLE] * len(values)


def test_times_that_do_not_say_their_zone_are_in_the_one_that_is_named(spark):
    paris = {"time_zone": "Europe/Paris"}
    assert read(spark, as_time, ["2024-05-01 14:00:00", "20240501140000"], "string", **paris) == [NOON] * 2
    assert read(spark, as_time, ["2024-05-01 12:00:00Z", str(NOON_S)], "string", **paris) == [NOON] * 2
    local = NOON.replace(hour=14)
    assert read(spark, as_time, [local], "timestamp_ntz", **paris) == [NOON]
    assert read(spark, as_time, [date(2024, 5, 1)], "date") == [NOON.replace(hour=0)]


def test_an_hour_that_clocks_skip_is_read_an_hour_later_and_one_that_comes_twice_as_the_first(spark):
    paris = {"time_zone": "Europe/Paris"}
    skipped = ["2024-03-31T02:30:00", "2024-03-31 02:30", "20240331023000", "2024-03-31T03:30:00", "2024-03-31 01:30Z"]
    assert len(set(read(spark, as_time, skipped, "string", **paris))) == 1
    twice = ["2024-10-27T02:30:00", "20241027T023000", "2024-10-27T00:30:00Z", "2024-10-27 02:30:00+0200"]
    assert len(set(read(spark, as_time, twice, "string", **paris))) == 1
    gap = datetime(2024, 3, 31, 2, 30)  # noqa: DTZ001
    assert read(spark, as_time, [gap], "timestamp_ntz", **paris) == read(spark, as_time, skipped[-1:], "string")


def test_offsets_count_where_they_are_written_and_names_of_zones_are_none(spark):
    offsets = ["Z", " Z", "z", " UTC", " GMT", "+00", "-00:00", "+0000"]
    assert read(spark, as_time, [f"2024-05-01T12:00:00{text}" for text in offsets], "string") == [NOON] * len(offsets)
    others = [
        "2024-05-01T17:30:00+0530",
        "2024-05-01 17:30 +05:30",
        "20240501T173000+0530",
        "2024-05-01T04:00:00.0-0800",
    ]
    assert read(spark, as_time, others, "string") == [NOON] * 4
    names = [
        " Europe/Paris",
        "[Europe/Paris]",
        "+02:00[Europe/Paris]",
        " CET",
        " EST",
        " UTC+2",
        "+2",
        "+1900",
        "+0260",
    ]
    wrong = [*(f"2024-05-01T12:00:00{name}" for name in names), "2024-05-01Z", "2024-05-01T24:00:00", "2024-02-30"]
    assert read(spark, as_time, wrong, "string") == [UNREADABLE] * len(wrong)


def test_types_that_cannot_mean_a_kind_are_told_before_any_row_is_read():
    assert accepts("time", "timestamp_ntz")
    assert accepts("id", "decimal(20,0)")
    for kind, type_name in (
        ("id", "boolean"),
        ("time", "float"),
        ("position", "interval day to second"),
        ("id", "date"),
    ):
        assert not accepts(kind, type_name)


def test_nanoseconds_of_a_parquet_file_are_times(spark, tmp_path):
    settings = yaml.safe_load((Path(__file__).parents[1] / "conf" / "base" / "spark.yml").read_text())
    name = "spark.sql.legacy.parquet.nanosAsLong"
    column = pa.array([NOON_S * 10**9 + 1], pa.timestamp("ns", tz="UTC"))
    pq.write_table(pa.table({"value": column}), tmp_path / "log.parquet", version="2.6")
    spark.conf.set(name, settings[name])
    try:
        table = spark.read.parquet(str(tmp_path))
        assert table.select(as_time(F.col("value"), dict(table.dtypes)["value"])).first()[0] == NOON
    finally:
        spark.conf.unset(name)
