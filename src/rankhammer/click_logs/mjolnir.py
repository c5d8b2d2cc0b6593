"""Reader of the table that Wikimedia's MjoLniR learns from: one row a search, hits and clicks as arrays of structs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field
from pyspark.sql import functions as F

from rankhammer.click_logs.columns import ClickLogOptions, Columns, as_corpus, cast_columns, has_column, map_columns
from rankhammer.click_logs.faults import FILE, OUTSIDE_LIST, REPEATED_CLICKS, ROW, first_fault, page_faults, tally
from rankhammer.click_logs.identity import number_pages
from rankhammer.click_logs.visitors import OF_ADDRESS
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from rankhammer.casts import Kind

_CONTENT = ("corpus", "session_id", "query", "shown_at", "row_fault", "hits", "clicks")


class MjolnirColumns(Columns):
    """Where the table's fields are; a dot steps into structs, also within an array."""

    optional: ClassVar[frozenset[str]] = frozenset({"corpus", "session_id", "shown_at", OF_ADDRESS})
    arrays: ClassVar[frozenset[str]] = frozenset({"hits", "clicks"})
    kinds: ClassVar[Mapping[str, Kind]] = {"shown_at": "time", OF_ADDRESS: "position"}

    corpus: str = Field(default="wikiid", min_length=1, description="which corpus was searched; may be missing")
    query: str = Field(default="query", min_length=1, description="as typed")
    session_id: str = Field(default="session_id", min_length=1, description="one visit; may be missing")
    shown_at: str = Field(default="timestamp", min_length=1, description="time, ISO text or epoch; may be missing")
    hits: str = Field(default="hits.pageid", min_length=1, description="documents that were shown, in order")
    clicks: str = Field(default="clicks.pageid", min_length=1, description="documents that were clicked, in any order")
    n_address_searches: str = Field(
        default="q_by_ip_day", min_length=1, description="searches of the same address on that day; may be missing"
    )


class MjolnirOptions(ClickLogOptions):
    """Options of the `mjolnir` reader."""

    columns: MjolnirColumns = Field(default_factory=MjolnirColumns, description="our names to yours")


class Mjolnir:
    """MjoLniR's table of searches: wikiid, query, session_id, timestamp, hits, clicks, q_by_ip_day.

    Several clicks on a document count once. The table has no ids of pages: they are made of a page's content. Its count
    of an address's searches is held against `ingestion.robots.address_searches_per_day`.

    References:
        Wikimedia Foundation, search/MjoLniR, `discovery.query_clicks_daily`.
    """

    Options: ClassVar[type[BaseModel]] = MjolnirOptions

    def __init__(self, options: MjolnirOptions) -> None:
        self._options = options

    def to_serps(self, raw: DataFrame) -> DataFrame:
        """Match each search's clicks with its hits.

        Args:
            raw: One row a search.

        Returns:
            `schemas.RAW_SERPS` plus `tally`, `faults.ROW`, `faults.FILE` and, where the table has it,
            `n_address_searches`; one row for each of `raw`.

        Raises:
            SchemaError: A needed column is missing, or hits or clicks are no arrays of structs with a pageid.
        """
        more = [OF_ADDRESS] if has_column(raw, self._options.columns, OF_ADDRESS) else []
        rows = map_columns(raw, self._options.columns).transform(self._cast)
        pages = number_pages(rows, [*_CONTENT, ROW, FILE, *more])
        clicked_ids = F.coalesce("clicks", F.array().cast("array<string>"))
        read = pages.withColumns({"doc_ids": F.col("hits"), "clicked_ids": F.array_distinct(clicked_ids)}).withColumn(
            "clicked", F.transform("doc_ids", lambda doc: F.array_contains("clicked_ids", doc))
        )
        outside = F.size(F.array_except("clicked_ids", F.coalesce("doc_ids", F.array().cast("array<string>"))))
        found = read.withColumns(
            {
                "fault": F.coalesce("row_fault", first_fault(page_faults())),
                "tally": tally({OUTSIDE_LIST: outside, REPEATED_CLICKS: F.size(clicked_ids) - F.size("clicked_ids")}),
            }
        )
        return found.select(*RAW_SERPS.columns, "tally", ROW, FILE, *more)

    def _cast(self, rows: DataFrame) -> DataFrame:
        options = self._options
        read = cast_columns(rows, options.columns, time_zone=options.time_zone, harmless=(OF_ADDRESS,))
        return read.withColumn("corpus", as_corpus(F.col("corpus"), options.corpus))
