"""Ids of result pages: made from their content where a log has none, checked for repeats where it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

_ID_LENGTH = 32
_GRAIN = ("corpus", "serp_id")


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
    return _differ(content) | _is_later(content)


def is_copy(content: Sequence[str]) -> Column:
    """Tell whether a row is a copy of another with its (corpus, serp_id): all are, except one.

    Args:
        content: The columns that make two rows differ.
    """
    return ~_differ(content) & _is_later(content)


def _differ(content: Sequence[str]) -> Column:
    digest, same_id = F.xxhash64(*content), Window.partitionBy(*_GRAIN)
    return F.min(digest).over(same_id) != F.max(digest).over(same_id)


def _is_later(content: Sequence[str]) -> Column:
    return F.row_number().over(Window.partitionBy(*_GRAIN).orderBy(F.xxhash64(*content))) > 1


def _plain(column: str) -> Column:
    """Write a time as a number, which does not depend on the session's time zone."""
    return F.unix_micros(column).alias(column) if column in ("shown_at", "received_at") else F.col(column)
