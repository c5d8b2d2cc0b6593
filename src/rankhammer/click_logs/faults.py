"""Why a result page is set aside (one reason per page, the first that applies), and the limits of every page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pyspark.sql import functions as F

from rankhammer.casts import FIRST_YEAR, LAST_YEAR, is_blank, is_nobody
from rankhammer.schemas import CLICK_WEIGHTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame

REASONS = {
    "missing_serp_id": "the row does not say which result page it belongs to",
    "unreadable_record": "the text does not follow the format",
    "unreadable_id": "an id or query is a number that is not whole or not exact, or bytes that are no UTF-8",
    "missing_query": "the query is null or blank",
    "conflicting_query": "rows of one serp_id name different queries",
    "empty_result_list": "no document was shown",
    "unequal_arrays": "doc_ids and clicked have different lengths",
    "missing_doc_id": "a doc_id is null or blank",
    "missing_position": "a position is null or blank",
    "unreadable_position": "a position is not a whole number, or beyond max_position",
    "bad_position": "a position is before the first one",
    "repeated_position": "two documents stand at one position",
    "repeated_document": "a document stands in the list twice",
    "unreadable_clicked": "clicked is missing, or neither true/false nor a count",
    "unreadable_shown_at": "shown_at is not a point in time from 1990 to 2099 in a format that is known",
    "duplicate_serp_id": "the serp_id was seen before, or belongs to different pages",
    "too_long": "a query or id has too many characters, or the page too many documents",
    "too_late": "the page was received more than sessions.max_late_days days after it was shown",
}
"""Every reason of the built-in readers and of the checks behind them, with its meaning."""

ROW, FILE = "faulty_row", "faulty_file"
"""Columns beside `schemas.RAW_SERPS` that a reader may return: of a page with a faulty row, what that row holds (JSON,
without who searched), and the file that it stands in."""

NOT_A_PAGE = "not_a_page"
"""The `fault` of a row that stands for no page: only its `tally` counts."""

GAPS_CLOSED = "positions had gaps, which were closed up"
FIRST_PLACE_KEPT = "a document stood in the list twice; its first place was kept"

OUTSIDE_LIST = "clicks/outside the list"
NO_PAGE = "clicks/of no result page"
NO_DOCUMENT = "clicks/without a document"
REPEATED_CLICKS = "clicks/repeated"
DUPLICATE_ROWS = "duplicates/rows"
DUPLICATE_PAGES = "duplicates/pages"
"""Names of a tally's counts: the group in the report, and the name in it."""
TALLY_TYPE = "array<struct<what:string,n:bigint>>"


def first_fault(conditions: Mapping[str, Column]) -> Column:
    """Name the first condition that holds.

    Args:
        conditions: Reason to boolean column, the most basic reason first.

    Returns:
        A string column; null for a sound page.
    """
    return F.coalesce(*(F.when(condition, reason) for reason, condition in conditions.items()), F.lit(None))


def page_faults() -> dict[str, Column]:
    """Return the faults that can be seen on a finished page, whatever its format.

    Returns:
        Reason to boolean column over `query`, `doc_ids` and `clicked`.
    """
    docs, clicked = F.col("doc_ids"), F.col("clicked")
    return {
        "missing_query": is_blank(F.col("query")),
        "empty_result_list": docs.isNull() | (F.size(docs) == 0),
        "unequal_arrays": clicked.isNull() | (F.size(docs) != F.size(clicked)),
        "missing_doc_id": F.exists(docs, is_blank),
        "unreadable_clicked": F.exists(clicked, F.isnull),
    }


def notes(conditions: Mapping[str, Column], *more: Column) -> Column:
    """Collect remarks about a page, one per line; null when there are none.

    Args:
        conditions: Remark to the boolean column that says when it applies.
        more: Remarks that are columns themselves, null where they do not apply.
    """
    lines = F.concat_ws("\n", *(F.when(condition, remark) for remark, condition in conditions.items()), *more)
    return F.nullif(lines, F.lit(""))


def tally(counts: Mapping[str, Column]) -> Column:
    """Say what a row stands for beside its page, as the report's balance counts it.

    Args:
        counts: "<group>/<name>" to how many, null or 0 where there are none.

    Returns:
        array<struct<what: string, n: bigint>> of those above 0; null when there are none.
    """
    entries = F.array(*(F.struct(F.lit(what).alias("what"), n.cast("bigint").alias("n")) for what, n in counts.items()))
    found = F.filter(entries, lambda entry: entry["n"] > 0)
    return F.when(F.size(found) > 0, found)


RepeatedDocuments = Literal["first_place", "set_aside"]


@dataclass(frozen=True)
class PageLimits:
    """What a result page may hold.

    Args:
        max_query_chars: Characters of a query.
        max_id_chars: Characters of an id: of the page, its session, its corpus or a document.
        max_documents: Documents on a page.
        repeated_documents: What becomes of a page that shows a document twice: its first place is kept, or the page
            is set aside.
    """

    max_query_chars: int = 1_000
    max_id_chars: int = 500
    max_documents: int = 1_000
    repeated_documents: RepeatedDocuments = "first_place"


def within_limits(raw_serps: DataFrame, limits: PageLimits) -> DataFrame:
    """Complete what a reader returned, and give pages beyond the limits their fault.

    Args:
        raw_serps: `schemas.RAW_SERPS`, with or without `note` (string), `tally` (array<struct<what, n>>), ROW and FILE.
        limits: What a page may hold.

    Returns:
        The same rows with these columns; a session_id that is blank, or no id, is null, and in `doc_ids` each document
        stands once.
    """
    for name, kind in (("note", "string"), ("tally", TALLY_TYPE), (ROW, "string"), (FILE, "string")):
        if name not in raw_serps.columns:
            raw_serps = raw_serps.withColumn(name, F.lit(None).cast(kind))
    session = F.when(~is_nobody(F.col("session_id")), F.col("session_id"))
    faults = F.coalesce(F.col("fault"), first_fault(_faults(limits)))
    checked = raw_serps.withColumns({"session_id": session, "fault": faults})
    return checked if limits.repeated_documents == "set_aside" else _at_first_places(checked)


def _faults(limits: PageLimits) -> dict[str, Column]:
    ids, docs = ("corpus", "serp_id", "session_id"), F.col("doc_ids")
    is_long = F.size(docs) > limits.max_documents
    for name in ids:
        is_long |= _is_longer(F.col(name), limits.max_id_chars)
    is_long |= F.exists(docs, lambda doc: _is_longer(doc, limits.max_id_chars))
    faults = {
        "missing_serp_id": is_blank(F.col("serp_id")),
        "too_long": is_long | _is_longer(F.col("query"), limits.max_query_chars),
        "unreadable_shown_at": ~F.year("shown_at").between(FIRST_YEAR, LAST_YEAR),
    }
    return faults | ({"repeated_document": _repeats()} if limits.repeated_documents == "set_aside" else {})


def _is_longer(text: Column, limit: int) -> Column:
    return F.coalesce(F.length(text) > limit, F.lit(False))


def _repeats() -> Column:
    return F.size(F.array_distinct("doc_ids")) < F.size("doc_ids")


def _largest_weights(docs: Column) -> Column:
    places = F.arrays_zip("doc_ids", CLICK_WEIGHTS)
    return F.transform(
        docs,
        lambda doc: F.array_max(
            F.transform(F.filter(places, lambda place: place["doc_ids"] == doc), lambda place: place[CLICK_WEIGHTS])
        ),
    )


def _at_first_places(pages: DataFrame) -> DataFrame:
    """Keep each document's first place; it counts as clicked when one of its places was."""
    repeats = F.col("fault").isNull() & _repeats()
    places = F.arrays_zip("doc_ids", "clicked")
    clicked_docs = F.transform(F.filter(places, lambda place: place["clicked"]), lambda place: place["doc_ids"])
    docs = F.array_distinct("doc_ids")
    clicked = F.transform(docs, lambda doc: F.array_contains(clicked_docs, doc))
    note = F.concat_ws("\n", "note", F.lit(FIRST_PLACE_KEPT))
    # `clicked` by itself: beside a new `doc_ids`, Spark would let arrays_zip see that one.
    weights = {CLICK_WEIGHTS: F.when(repeats, _largest_weights(docs)).otherwise(F.col(CLICK_WEIGHTS))}
    changed = pages.withColumns(
        {
            "clicked": F.when(repeats, clicked).otherwise(F.col("clicked")),
            "note": F.when(repeats, note).otherwise(F.col("note")),
            **(weights if CLICK_WEIGHTS in pages.columns else {}),
        }
    )
    return changed.withColumn("doc_ids", F.when(repeats, docs).otherwise(F.col("doc_ids")))
