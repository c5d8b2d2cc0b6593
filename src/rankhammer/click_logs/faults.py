"""Why a result page is set aside (one reason a page, the first that applies), and remarks on sound ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column

REASONS = {
    "missing_serp_id": "the row does not say which result page it belongs to",
    "unreadable_record": "the text does not follow the format",
    "missing_query": "the query is null or blank",
    "conflicting_query": "rows of one serp_id name different queries",
    "empty_result_list": "no document was shown",
    "unequal_arrays": "doc_ids and clicked have different lengths",
    "missing_doc_id": "a doc_id is null or blank",
    "bad_position": "a position is missing, not whole, or before the first one",
    "repeated_position": "two documents stand at one position",
    "repeated_document": "a document stands in the list twice",
    "unreadable_clicked": "clicked is missing, or neither true/false nor a count",
    "unreadable_shown_at": "shown_at is not a point in time",
    "duplicate_serp_id": "the serp_id was seen before, or belongs to different pages",
}
"""Every reason of the built-in readers, with its meaning."""


GAPS_CLOSED = "positions had gaps, which were closed up"
OUTSIDE_CLICKS = "clicks on documents outside the list were left out"


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
        "missing_doc_id": F.exists(docs, lambda doc: doc.isNull() | (F.trim(doc) == "")),
        "repeated_document": F.size(F.array_distinct(docs)) < F.size(docs),
        "unreadable_clicked": F.exists(clicked, F.isnull),
    }


def is_blank(text: Column) -> Column:
    """Tell whether a text is null, empty, or only white space of any script."""
    return text.isNull() | ~text.rlike(r"(?U)\S")


def notes(conditions: Mapping[str, Column], *more: Column) -> Column:
    """Collect remarks about a page, one a line; null when there are none.

    Args:
        conditions: Remark to the boolean column that says when it applies.
        more: Remarks that are columns themselves, null where they do not apply.
    """
    lines = F.concat_ws("\n", *(F.when(condition, remark) for remark, condition in conditions.items()), *more)
    return F.nullif(lines, F.lit(""))
