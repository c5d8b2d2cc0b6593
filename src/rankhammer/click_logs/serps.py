"""Reader of logs that already hold one row a result page, with arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field
from pyspark.sql import functions as F

from rankhammer.click_logs.columns import (
    HARMLESS_FIELDS,
    VISITOR_FIELDS,
    ClickLogOptions,
    Duplicates,
    VisitorPageColumns,
    as_corpus,
    cast_columns,
    has_column,
    map_columns,
    visitor_fields,
)
from rankhammer.click_logs.faults import DUPLICATE_PAGES, FILE, NOT_A_PAGE, ROW, first_fault, page_faults, tally
from rankhammer.click_logs.identity import is_copy, is_repeated_id, number_pages
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame

    from rankhammer.casts import Kind

_CONTENT = ("session_id", "query", "shown_at", "row_fault", "doc_ids", "clicked")


class SerpColumns(VisitorPageColumns):
    """Our name of each column of a page-wise log to the user's."""

    optional: ClassVar[frozenset[str]] = frozenset({"corpus", "serp_id", "session_id", "shown_at", *VISITOR_FIELDS})
    arrays: ClassVar[frozenset[str]] = frozenset({"doc_ids", "clicked"})
    kinds: ClassVar[Mapping[str, Kind]] = {"shown_at": "time", "clicked": "flag", "received_at": "time"}

    corpus: str = Field(default="corpus", min_length=1, description="which corpus the page searched; may be missing")
    serp_id: str = Field(
        default="serp_id", min_length=1, description="id of the page; made from its content if missing"
    )
    session_id: str = Field(default="session_id", min_length=1, description="one visit; may be missing")
    query: str = Field(default="query", min_length=1, description="as typed")
    shown_at: str = Field(default="shown_at", min_length=1, description="time, ISO text or epoch; may be missing")
    doc_ids: str = Field(default="doc_ids", min_length=1, description="array of document ids in shown order")
    clicked: str = Field(default="clicked", min_length=1, description="array as long: true/false, 0/1, or counts")


class SerpOptions(ClickLogOptions):
    """Options of the `serps` reader."""

    columns: SerpColumns = Field(default_factory=SerpColumns, description="our names to yours")
    duplicates: Duplicates = "drop"


class Serps:
    """One row a result page, with arrays doc_ids and clicked: JSON lines or Parquet."""

    Options: ClassVar[type[BaseModel]] = SerpOptions

    def __init__(self, options: SerpOptions) -> None:
        self._options = options

    def to_serps(self, raw: DataFrame) -> DataFrame:
        """Cast the columns, and make or check the ids of the pages.

        Args:
            raw: One row a result page.

        Returns:
            `schemas.RAW_SERPS` plus `tally` and what the log has of `visitors.VISITOR_COLUMNS`, one row for each row of
            `raw`; a copy of a page is only counted.

        Raises:
            SchemaError: A needed column is missing, or doc_ids or clicked is not an array.
        """
        more = visitor_fields(raw, self._options.columns)
        pages = map_columns(raw, self._options.columns).transform(self._cast)
        if has_column(raw, self._options.columns, "serp_id"):
            pages = pages.withColumn("is_copy", self._is_dropped()).withColumn("fault", _fault(with_ids=True))
        else:
            pages = number_pages(pages, ["corpus", *_CONTENT, ROW, FILE, *more]).withColumns(
                {"is_copy": F.lit(False), "fault": _fault(with_ids=False)}
            )
        found = pages.withColumns(
            {
                "fault": F.when(F.col("is_copy"), NOT_A_PAGE).otherwise(F.col("fault")),
                "tally": tally({DUPLICATE_PAGES: F.col("is_copy").cast("int")}),
            }
        )
        return found.select(*RAW_SERPS.columns, "tally", ROW, FILE, *more)

    def _cast(self, rows: DataFrame) -> DataFrame:
        options = self._options
        read = cast_columns(rows, options.columns, time_zone=options.time_zone, harmless=HARMLESS_FIELDS)
        return read.withColumn("corpus", as_corpus(F.col("corpus"), options.corpus))

    def _is_dropped(self) -> Column:
        is_dropped = F.col("serp_id").isNotNull() & is_copy(_CONTENT)
        return is_dropped if self._options.duplicates == "drop" else F.lit(False)


def _fault(*, with_ids: bool) -> Column:
    known = page_faults()
    if not with_ids:
        return F.coalesce(F.col("row_fault"), first_fault(known))
    missing = {"missing_serp_id": F.col("serp_id").isNull()}
    return F.coalesce(
        F.col("row_fault"), first_fault(missing | known | {"duplicate_serp_id": is_repeated_id(_CONTENT)})
    )
