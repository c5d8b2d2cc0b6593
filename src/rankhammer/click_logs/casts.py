"""Read loosely typed columns: CSV and JSON bring text where Parquet brings types. What cannot be read is null."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from rankhammer.click_logs.faults import is_blank

if TYPE_CHECKING:
    from pyspark.sql import Column

_MILLISECONDS_FROM = 1e11
"""Epochs above this are milliseconds: as seconds they would lie after the year 5138, as milliseconds after 1973."""
_MICROSECONDS_FROM = 1e14


def as_corpus(value: Column, default: str) -> Column:
    """Read the name of a corpus; rows that name none, or a blank one, belong to the default.

    Args:
        value: Any plain value.
        default: Name of the corpus of those rows.
    """
    text = value.cast("string")
    return F.when(is_blank(text), default).otherwise(text)


def as_clicked(value: Column, type_name: str) -> Column:
    """Read a click flag: true/false in any usual spelling, or a count, where more than 0 is a click.

    Args:
        value: Boolean, number or text.
        type_name: Spark's simple type name of the column.

    Returns:
        Boolean; null for null, negative counts and any other text.
    """
    if type_name == "boolean":
        return value
    text = F.trim(value.cast("string"))
    count = text.try_cast("double")
    return F.coalesce(text.try_cast("boolean"), F.when(count >= 0, count > 0))


def as_position(value: Column, type_name: str) -> Column:
    """Read a position as a double, so that "3", 3 and 3.0 are one; null when it is not a number.

    Args:
        value: Number or text.
        type_name: Spark's simple type name of the column.
    """
    if type_name in ("tinyint", "smallint", "int", "bigint"):
        return value.cast("double")
    number = F.trim(value.cast("string")).try_cast("double")
    return F.when(~F.isnan(number), number)


def as_timestamp(value: Column, type_name: str) -> Column:
    """Read a point in time.

    Args:
        value: Time, date, ISO 8601 text, or an epoch in seconds, milliseconds or microseconds.
        type_name: Spark's simple type name of the column.

    Returns:
        Timestamp; text without a zone is in the session's time zone. Null when it cannot be read.
    """
    if type_name in ("timestamp", "timestamp_ntz", "date"):
        return value.cast("timestamp")
    text = F.trim(value.cast("string"))
    # Fewer than nine digits are a year or a date like 20240131, never an epoch.
    epoch = F.when(text.rlike(r"^\d{9,}(\.\d+)?$"), text.try_cast("double"))
    if type_name != "string":
        epoch = text.try_cast("double")
    return F.coalesce(_from_epoch(epoch), text.try_cast("timestamp"))


def _from_epoch(epoch: Column) -> Column:
    seconds = (
        F.when(epoch >= _MICROSECONDS_FROM, epoch / 1e6).when(epoch >= _MILLISECONDS_FROM, epoch / 1e3).otherwise(epoch)
    )
    return F.timestamp_micros(F.round(seconds * 1e6).try_cast("bigint"))
