"""Pages that were set aside, kept with their reason, so that somebody can see what is wrong with the log."""

from __future__ import annotations

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from rankhammer.click_logs.faults import FILE, NOT_A_PAGE, ROW
from rankhammer.schemas import QUARANTINE

MAX_PAGE_CHARS = 8_000
"""Characters of a page that are kept."""
MAX_EXAMPLE_CHARS = 300
"""Characters of a row that a message shows."""
_PAGE = ("session_id", "query", "doc_ids", "clicked")


def faulty_pages(flagged: DataFrame, *, n_examples: int | None = None) -> DataFrame:
    """Return the pages that are set aside, who searched left out.

    Args:
        flagged: As `checks.flag_pages` returns it.
        n_examples: Pages of each corpus and reason, chosen by a hash, so that they are the same each time; None: all.

    Returns:
        `schemas.QUARANTINE`.
    """
    faulty = flagged.where(F.col("fault").isNotNull() & (F.col("fault") != NOT_A_PAGE))
    page = F.left(F.to_json(F.struct(*_PAGE)), F.lit(MAX_PAGE_CHARS))
    rows = faulty.select(
        "corpus", F.col("fault").alias("reason"), "serp_id", "shown_at", page.alias("page"), F.col(ROW).alias("row"),
        F.col(FILE).alias("file"),
    )  # fmt: skip
    if n_examples is not None:
        # Spark keeps the first rows of each group before the shuffle: no task holds more than n_examples of a reason.
        place = Window.partitionBy("corpus", "reason").orderBy(F.xxhash64("serp_id", "page", "row"), "serp_id", "page")
        rows = rows.withColumn("place", F.row_number().over(place)).where(F.col("place") <= n_examples)
    return QUARANTINE.select(rows)


def faulty_examples(faulty: DataFrame) -> dict[str, dict[str, str]]:
    """Return a faulty page for each reason, by corpus: the one of the smallest id, so that it is the same each time.

    Args:
        faulty: `schemas.QUARANTINE`.

    Returns:
        Corpus to reason to the page's id, followed by what its faulty row holds where the fault is of a row.
    """
    found: dict[str, dict[str, str]] = {}
    known = faulty.where(F.col("serp_id").isNotNull())
    example = F.min(F.struct("serp_id", F.left("row", F.lit(MAX_EXAMPLE_CHARS + 1)).alias("row"))).alias("example")
    # An action: one row for each corpus and reason.
    for row in known.groupBy("corpus", "reason").agg(example).collect():
        page, content = row["example"]
        found.setdefault(row["corpus"], {})[row["reason"]] = f"{page!r}{_with_row(content)}"
    return found


def _with_row(content: str | None) -> str:
    if not content or content == "{}":
        return ""
    is_cut = len(content) > MAX_EXAMPLE_CHARS
    return f", with the row {content[:MAX_EXAMPLE_CHARS]}{' ...' if is_cut else ''}"
