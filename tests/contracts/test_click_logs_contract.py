"""Rules of every click-log reader, built in or installed."""

from __future__ import annotations

import pytest

from rankhammer import plugins
from rankhammer.click_logs.faults import NOT_A_PAGE
from rankhammer.errors import SchemaError
from rankhammer.schemas import RAW_SERPS

HITS = "query_response_hit_ids array<string>"
ATTRIBUTES = "event_attributes struct<object: struct<object_id: string>, position: struct<ordinal: int>>"

# By reader: schema, rows of three result pages (the third is faulty), and a column that it cannot do without.
SAMPLES = {
    "impressions": (
        "serp_id string, query string, doc_id string, position int, clicked boolean",
        [
            ("p1", "tv", "a", 1, True),
            ("p1", "tv", "b", 2, False),
            ("p2", "radio", "c", 1, False),
            ("p3", "tv", "a", 0, True),
        ],
        "doc_id",
    ),
    "clicks_only": (
        "serp_id string, query string, doc_id string",
        [("p1", "tv", "a"), ("p2", "radio", "c"), ("p4", "radio", "b"), ("p3", "tv", None)],
        "doc_id",
    ),
    "mjolnir": (
        "wikiid string, query string, hits array<struct<pageid: string>>, clicks array<struct<pageid: string>>",
        [("main", "tv", [("a",), ("b",)], [("a",)]), ("main", "radio", [("c",)], []), (None, "tv", [], None)],
        "hits",
    ),
    "serps": (
        "serp_id string, query string, doc_ids array<string>, clicked array<boolean>",
        [("p1", "tv", ["a", "b"], [True, False]), ("p2", "radio", ["c"], [False]), ("p3", "tv", ["a"], [])],
        "doc_ids",
    ),
    "spaced_lists": (
        "page string, visit string, typed string, shown string, clicked string",
        [("p1", "v", "tv", "a b", "a"), ("p2", "v", "radio", "c", ""), ("p3", "v", "tv", "", "")],
        "shown",
    ),
    "ubi": (
        f"query_id string, user_query string, {HITS}, action_name string, {ATTRIBUTES}",
        [
            ("p1", "tv", ["a", "b"], None, None),
            ("p1", None, None, "click", (("a",), (1,))),
            ("p2", "radio", ["c"], None, None),
            ("p3", "tv", [], None, None),
        ],
        "query_id",
    ),
    "yandex_wscd": ("value string", [("tv\ta,b : a; radio\tc :;",), ("tv\ta,b;",)], "value"),
}
EXPECTED = [("radio", ["c"], [False]), ("tv", ["a", "b"], [True, False])]
OF_CLICKS = [("radio", ["b", "c"], [False, True]), ("radio", ["b", "c"], [True, False]), ("tv", ["a"], [True])]
"""What a log can be read as that does not say what was not clicked."""


@pytest.fixture(scope="module", params=[found.name for found in plugins.installed() if found.group == "click_logs"])
def reader(request):
    if request.param not in SAMPLES:
        pytest.fail(f"reader {request.param!r} has no sample in {__file__}")
    return request.param


@pytest.fixture(scope="module")
def raw(spark, reader):
    schema, rows, _ = SAMPLES[reader]
    return spark.createDataFrame(rows, schema)


def read(reader, raw):
    """Return the rows that stand for a page."""
    found = plugins.create("click_logs", plugins.PluginSpec(name=reader)).to_serps(raw)
    return found.where(~found["fault"].eqNullSafe(NOT_A_PAGE))


@pytest.fixture(scope="module")
def pages(reader, raw):
    """Rows that stand for a page, as the reader finds them in the sample."""
    return read(reader, raw).collect()


def test_pages_have_the_raw_serps_columns_and_types(reader, raw):
    RAW_SERPS.require(read(reader, raw).dtypes)


def test_sound_pages_hold_documents_and_clicks_in_shown_order(reader, pages):
    sound = [row for row in pages if row.fault is None]
    expected = OF_CLICKS if reader == "clicks_only" else EXPECTED
    assert sorted((row.query, row.doc_ids, row.clicked) for row in sound) == expected
    assert {row.corpus for row in sound} == {"main"}
    assert len({row.serp_id for row in sound}) == len(sound)


def test_no_page_is_lost(reader, pages):
    faults = [row.fault for row in pages]
    assert len(faults) == 1 + len(OF_CLICKS if reader == "clicks_only" else EXPECTED)
    assert sum(fault is not None for fault in faults) == 1


@pytest.mark.parametrize("partitions", [1, 4])
def test_pages_do_not_depend_on_partitions_or_row_order(reader, raw, pages, partitions):
    def contents(rows):
        return sorted(str([row[name] for name in RAW_SERPS.columns]) for row in rows)

    shuffled = raw.repartition(partitions).sortWithinPartitions(*raw.columns[:1], ascending=False)
    assert contents(read(reader, shuffled).collect()) == contents(pages)


def test_missing_column_is_named(reader, raw):
    needed = SAMPLES[reader][2]
    with pytest.raises(SchemaError, match=needed) as caught:
        read(reader, raw.withColumnRenamed(needed, "something_else"))
    assert "something_else" in str(caught.value)
    assert caught.value.hint


def test_reading_a_page_twice_gives_no_repeated_id(reader, raw):
    """Logs are delivered twice now and then: ids of sound pages stay unique."""
    ids = [row.serp_id for row in read(reader, raw.union(raw)).collect() if row.fault is None]
    assert len(set(ids)) == len(ids)
