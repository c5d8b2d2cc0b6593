"""A digest of a hand-off's rows that order, partitioning and file names do not change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.publishing import content_digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame


def table_digest(table: DataFrame) -> tuple[int, str]:
    """Count a table's rows and add up a 64-bit hash of each.

    Args:
        table: Any table without map columns.

    Returns:
        (rows, hexadecimal sum). One action; two numbers come back.
    """
    from pyspark.sql import functions as F

    row_hash = F.xxhash64(*(F.to_json(F.struct(column)) for column in table.columns)).cast("decimal(38,0)")
    counted = table.agg(F.count(F.lit(1)).alias("rows"), F.sum(row_hash).alias("total")).first()
    rows, total = (counted["rows"], counted["total"]) if counted else (0, None)
    return int(rows), f"{int(total or 0) % 2**64:016x}"


def files_digest(files: Mapping[str, bytes]) -> tuple[int, str]:
    """Count a folder's files and hash their names and contents, in name order."""
    return len(files), content_digest(files)[:16]
