"""Reader of flat logs: one row per (result page, position, document)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field
from pyspark.sql import functions as F

from rankhammer.click_logs.columns import (
    HARMLESS_FIELDS,
    VISITOR_FIELDS,
    ClickLogOptions,
    Duplicates,
    MaxPosition,
    VisitorPageColumns,
    as_corpus,
    cast_columns,
    map_columns,
    visitor_fields,
)
from rankhammer.click_logs.faults import (
    DUPLICATE_ROWS,
    FILE,
    GAPS_CLOSED,
    ROW,
    first_fault,
    notes,
    page_faults,
    tally,
)
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame

    from rankhammer.casts import Kind


class ImpressionColumns(VisitorPageColumns):
    """Our name of each column of a flat log to the user's."""

    optional: ClassVar[frozenset[str]] = frozenset({"corpus", "session_id", "shown_at", *VISITOR_FIELDS})
    kinds: ClassVar[Mapping[str, Kind]] = {
        "shown_at": "time",
        "position": "position",
        "clicked": "flag",
        "received_at": "time",
    }

    corpus: str = Field(default="corpus", min_length=1, description="which corpus the page searched; may be missing")
    serp_id: str = Field(default="serp_id", min_length=1, description="one result page shown once")
    session_id: str = Field(default="session_id", min_length=1, description="one visit; may be missing")
    query: str = Field(default="query", min_length=1, description="as typed")
    shown_at: str = Field(default="shown_at", min_length=1, description="time, ISO text or epoch; may be missing")
    doc_id: str = Field(default="doc_id", min_length=1, description="id in the search index")
    position: str = Field(default="position", min_length=1, description="place on the page")
    clicked: str = Field(default="clicked", min_length=1, description="true/false, 0/1, or a count of clicks")


class ImpressionOptions(ClickLogOptions):
    """Options of the `impressions` reader."""

    columns: ImpressionColumns = Field(default_factory=ImpressionColumns, description="our names to yours")
    first_position: int = Field(default=1, ge=0, le=1, description="what the log calls the top of the page: 1 or 0")
    max_position: MaxPosition = 10_000
    duplicates: Duplicates = "drop"


class Impressions:
    """Flat rows, one per (result page, position, document): Parquet, CSV, JSON lines or a SQL table."""

    Options: ClassVar[type[BaseModel]] = ImpressionOptions

    def __init__(self, options: ImpressionOptions) -> None:
        self._options = options

    def to_serps(self, raw: DataFrame) -> DataFrame:
        """Put the rows of a page together, in shown order; a page with a faulty row is faulty.

        Args:
            raw: One row an impression.

        Returns:
            `schemas.RAW_SERPS` plus `note`, `tally`, `faults.ROW`, `faults.FILE` and what the log has of
            `visitors.VISITOR_COLUMNS`. A row without a serp_id is a faulty page of its own.

        Raises:
            SchemaError: A needed column is missing or is an array.
        """
        more = visitor_fields(raw, self._options.columns)
        pages = self._gather(map_columns(raw, self._options.columns).transform(self._cast), more)
        fault, note = self._fault().alias("fault"), self._note().alias("note")
        return pages.select(*_page_columns(), fault, note, "tally", ROW, FILE, *more)

    def _cast(self, rows: DataFrame) -> DataFrame:
        options = self._options
        read = cast_columns(
            rows,
            options.columns,
            time_zone=options.time_zone,
            max_position=options.max_position,
            harmless=HARMLESS_FIELDS,
        )
        return read.select(
            as_corpus(F.col("corpus"), options.corpus).alias("corpus"),
            "serp_id",
            # Keeps rows without an id apart; it is dropped again, so that its order-dependence is never seen.
            F.when(F.col("serp_id").isNull(), F.monotonically_increasing_id()).alias("lone_row"),
            *("session_id", "query", "shown_at", "row_fault", ROW, FILE, *VISITOR_FIELDS),
            F.struct("position", "doc_id", "clicked").alias("impression"),
        )

    def _gather(self, rows: DataFrame, more: Sequence[str]) -> DataFrame:
        """Collect a page's rows into one; sorting makes the result independent of their order."""
        is_copy_dropped = self._options.duplicates == "drop"
        kept = F.array_distinct("all_rows") if is_copy_dropped else F.col("all_rows")
        return (
            rows.groupBy("corpus", "serp_id", "lone_row")
            .agg(
                F.min("session_id").alias("session_id"),
                F.min("query").alias("query"),
                F.max("query").alias("last_query"),
                F.min("shown_at").alias("shown_at"),
                F.min("row_fault").alias("row_fault"),
                F.min(ROW).alias(ROW),
                F.min(FILE).alias(FILE),
                F.sort_array(F.collect_list("impression")).alias("all_rows"),
                *(F.min(name).alias(name) for name in more),
            )
            .withColumn("impressions", kept)
            .withColumn("doc_ids", F.col("impressions.doc_id"))
            .withColumn("clicked", F.col("impressions.clicked"))
            .withColumn("tally", tally({DUPLICATE_ROWS: F.size("all_rows") - F.size("impressions")}))
        )

    def _fault(self) -> Column:
        positions = F.col("impressions.position")
        on_page = page_faults()
        return F.coalesce(
            first_fault({"missing_serp_id": F.col("serp_id").isNull() & F.col("row_fault").isNull()}),
            F.col("row_fault"),
            first_fault(
                {
                    "missing_query": on_page.pop("missing_query"),
                    "conflicting_query": F.col("query") != F.col("last_query"),
                    "missing_doc_id": on_page.pop("missing_doc_id"),
                    "missing_position": F.exists(positions, F.isnull),
                    "bad_position": F.exists(positions, lambda p: p < self._options.first_position),
                    "repeated_position": F.size(F.array_distinct(positions)) < F.size(positions),
                    **on_page,
                }
            ),
        )

    def _note(self) -> Column:
        last = F.array_max("impressions.position")
        return notes({GAPS_CLOSED: last - self._options.first_position + 1 > F.size("impressions")})


def _page_columns() -> list[str]:
    return [column for column in RAW_SERPS.columns if column != "fault"]
