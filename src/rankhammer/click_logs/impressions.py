"""Reader of flat logs: one row per (result page, position, document)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import functions as F

from rankhammer.click_logs.casts import as_clicked, as_corpus, as_position, as_timestamp
from rankhammer.click_logs.columns import Columns, map_columns
from rankhammer.click_logs.faults import GAPS_CLOSED, first_fault, notes, page_faults
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


class ImpressionColumns(Columns):
    """Our name of each column of a flat log to the user's."""

    optional: ClassVar[frozenset[str]] = frozenset({"corpus", "session_id", "shown_at"})

    corpus: str = Field(default="corpus", min_length=1, description="which corpus the page searched; may be missing")
    serp_id: str = Field(default="serp_id", min_length=1, description="one result page shown once")
    session_id: str = Field(default="session_id", min_length=1, description="one visit; may be missing")
    query: str = Field(default="query", min_length=1, description="as typed")
    shown_at: str = Field(default="shown_at", min_length=1, description="time, ISO text or epoch; may be missing")
    doc_id: str = Field(default="doc_id", min_length=1, description="id in the search index")
    position: str = Field(default="position", min_length=1, description="place on the page")
    clicked: str = Field(default="clicked", min_length=1, description="true/false, 0/1, or a count of clicks")


class ImpressionOptions(BaseModel):
    """Options of the `impressions` reader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: ImpressionColumns = Field(default_factory=ImpressionColumns, description="our names to yours")
    corpus: str = Field(default="main", min_length=1, description="corpus of rows that name none")
    first_position: int = Field(default=1, ge=0, le=1, description="what the log calls the top of the page: 1 or 0")


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
            `schemas.RAW_SERPS` plus `note`. A row without a serp_id is a faulty page of its own.

        Raises:
            SchemaError: A needed column is missing or is an array.
        """
        pages = map_columns(raw, self._options.columns).transform(self._cast).transform(_gather)
        return pages.select(*_page_columns(), self._fault().alias("fault"), self._note().alias("note"))

    def _cast(self, rows: DataFrame) -> DataFrame:
        types = dict(rows.dtypes)
        shown_at = as_timestamp(F.col("shown_at"), types["shown_at"])
        serp_id = F.when(F.trim(F.col("serp_id").cast("string")) != "", F.col("serp_id").cast("string"))
        return rows.select(
            as_corpus(F.col("corpus"), self._options.corpus).alias("corpus"),
            serp_id.alias("serp_id"),
            # Keeps rows without an id apart; it is dropped again, so that its order-dependence is never seen.
            F.when(serp_id.isNull(), F.monotonically_increasing_id()).alias("lone_row"),
            F.col("session_id").cast("string"),
            F.col("query").cast("string"),
            shown_at.alias("shown_at"),
            (shown_at.isNull() & F.col("shown_at").isNotNull()).alias("bad_time"),
            F.struct(
                as_position(F.col("position"), types["position"]).alias("position"),
                F.col("doc_id").cast("string").alias("doc_id"),
                as_clicked(F.col("clicked"), types["clicked"]).alias("clicked"),
            ).alias("impression"),
        )

    def _fault(self) -> Column:
        positions = F.col("impressions.position")
        first = self._options.first_position
        bad_positions = F.exists(positions, lambda p: p.isNull() | (p < first) | (p != F.floor(p)))
        on_page = page_faults()
        return first_fault(
            {
                "missing_serp_id": F.col("serp_id").isNull(),
                "missing_query": on_page.pop("missing_query"),
                "conflicting_query": F.col("query") != F.col("last_query"),
                "missing_doc_id": on_page.pop("missing_doc_id"),
                "bad_position": bad_positions,
                "repeated_position": F.size(F.array_distinct(positions)) < F.size(positions),
                **on_page,
                "unreadable_shown_at": F.col("bad_time"),
            }
        )

    def _note(self) -> Column:
        last = F.array_max("impressions.position")
        return notes({GAPS_CLOSED: last - self._options.first_position + 1 > F.size("impressions")})


def _gather(rows: DataFrame) -> DataFrame:
    """Collect a page's rows into one; sorting makes the result independent of their order."""
    return (
        rows.groupBy("corpus", "serp_id", "lone_row")
        .agg(
            F.min("session_id").alias("session_id"),
            F.min("query").alias("query"),
            F.max("query").alias("last_query"),
            F.min("shown_at").alias("shown_at"),
            F.bool_or("bad_time").alias("bad_time"),
            F.sort_array(F.collect_list("impression")).alias("impressions"),
        )
        .withColumn("doc_ids", F.col("impressions.doc_id"))
        .withColumn("clicked", F.col("impressions.clicked"))
    )


def _page_columns() -> list[str]:
    return [column for column in RAW_SERPS.columns if column != "fault"]
