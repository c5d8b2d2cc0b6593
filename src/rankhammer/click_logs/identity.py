"""Ids of result pages: made from their content where a log has none, checked for repeats where it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

_ID_LENGTH = 32


def number_pages(pages: DataFrame, content: Sequence[str]) -> DataFrame:
    """Give each row an id made from its content and its occurrence among equal rows.

    Equal rows are counted and spread again, so that no shuffle carries the same page twice, and the ids do
    not depend on partitions or row order: the second page like ``p`` is always sha2(p + "#2").

    Args:
        pages: Rows that may be equal.
        content: The columns that make up a row; every other one is dropped.

    Returns:
        As many rows, with these columns and `serp_id`.
    """
    counted = pages.groupBy(*content).agg(F.count("*").alias("n_equal"))
    numbered = counted.withColumn("occurrence", F.explode(F.sequence(F.lit(1), F.col("n_equal"))))
    text = F.concat_ws("#", F.to_json(F.struct(*map(_plain, content))), "occurrence")
    return numbered.withColumn("serp_id", F.substring(F.sha2(text, 256), 1, _ID_LENGTH)).drop("n_equal", "occurrence")


def is_repeated_id(content: Sequence[str]) -> Column:
    """Tell whether a row's (corpus, serp_id) was taken by another row.

    Of equal rows, as a log delivered twice has them, one is kept. Where rows differ nothing says which
    is right, and all of them are repeats.

    Args:
        content: The columns that make two rows differ.
    """
    same_id = Window.partitionBy("corpus", "serp_id")
    digest = F.xxhash64(*content)
    differ = F.min(digest).over(same_id) != F.max(digest).over(same_id)
    return differ | (F.row_number().over(same_id.orderBy(digest)) > 1)


def _plain(column: str) -> Column:
    """Write a time as a number, which does not depend on the session's time zone."""
    return F.unix_micros(column).alias(column) if column == "shown_at" else F.col(column)
