"""Reader of logs that know clicks and nothing of what was shown and passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field
from pyspark.sql import Window
from pyspark.sql import functions as F

from rankhammer.click_logs.columns import (
    HARMLESS_FIELDS,
    VISITOR_FIELDS,
    ClickLogOptions,
    VisitorPageColumns,
    as_corpus,
    cast_columns,
    has_column,
    map_columns,
    visitor_fields,
)
from rankhammer.click_logs.faults import FILE, REPEATED_CLICKS, ROW, first_fault, notes, page_faults, tally
from rankhammer.click_logs.identity import number_pages
from rankhammer.click_logs.sessions import SECONDS_A_DAY
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame

    from rankhammer.casts import Kind

MADE_OF_CLICKS = (
    "the log has clicks alone, so this list is the query's most clicked documents: what was shown, where it stood, and "
    "what was seen and not clicked is unknown, and neither examination nor click-through can be learned"
)
_ID_LENGTH = 32


class ClickColumns(VisitorPageColumns):
    """Our name of each column of a log of clicks to the user's."""

    optional: ClassVar[frozenset[str]] = frozenset({"corpus", "serp_id", "session_id", "shown_at", *VISITOR_FIELDS})
    kinds: ClassVar[Mapping[str, Kind]] = {"shown_at": "time", "received_at": "time"}

    corpus: str = Field(default="corpus", min_length=1, description="which corpus was searched; may be missing")
    serp_id: str = Field(default="serp_id", min_length=1, description="the search that was clicked in; may be missing")
    session_id: str = Field(default="session_id", min_length=1, description="one visit; may be missing")
    query: str = Field(default="query", min_length=1, description="as typed")
    shown_at: str = Field(
        default="clicked_at", min_length=1, description="time of the click, ISO text or epoch; may be missing"
    )
    doc_id: str = Field(default="doc_id", min_length=1, description="id of the clicked document in the search index")


class ClickOptions(ClickLogOptions):
    """Options of the `clicks_only` reader."""

    columns: ClickColumns = Field(default_factory=ClickColumns, description="our names to yours")
    n_candidates: int = Field(
        default=10, ge=2, le=1000, description="most clicked documents of a query that compete on each of its searches"
    )


class ClicksOnly:
    """Rows of clicks without impressions: a query's most clicked documents stand in for what was shown.

    Each search is taken to have offered the `n_candidates` documents on which most searches of its query clicked, and
    its own. So a document's share of clicks is the share of the query's searches that chose it, which is all that such
    a log knows. Click models that look at positions would learn the order of clicks: `has_impressions` lets a run
    refuse them.
    """

    Options: ClassVar[type[BaseModel]] = ClickOptions
    has_impressions: ClassVar[bool] = False

    def __init__(self, options: ClickOptions) -> None:
        self._options = options

    def to_serps(self, raw: DataFrame) -> DataFrame:
        """Gather the clicks of each search, and set them among the query's most clicked documents.

        A search is a `serp_id`; without that column one query of a session (or, without session, of a visitor) on one
        UTC day; where nobody is named each click is a search of its own.

        Args:
            raw: One row a click.

        Returns:
            `schemas.RAW_SERPS` plus `note`, `tally`, `faults.ROW`, `faults.FILE` and what the log has of
            `visitors.VISITOR_COLUMNS`.

        Raises:
            SchemaError: There is no query or no document.
        """
        columns = self._options.columns
        more, has_ids = visitor_fields(raw, columns), has_column(raw, columns, "serp_id")
        clicks = map_columns(raw, columns).transform(self._cast)
        searches = self._gather(clicks if has_ids else _with_ids(clicks), more)
        pages = self._with_candidates(searches)
        return pages.select(
            *(name for name in RAW_SERPS.columns if name != "fault"),
            _fault().alias("fault"),
            notes({MADE_OF_CLICKS: F.lit(True)}).alias("note"),
            tally({REPEATED_CLICKS: F.col("n_clicks") - F.size("clicked_ids")}).alias("tally"),
            ROW,
            FILE,
            *more,
        )

    def _cast(self, rows: DataFrame) -> DataFrame:
        options = self._options
        read = cast_columns(rows, options.columns, time_zone=options.time_zone, harmless=HARMLESS_FIELDS)
        return read.withColumn("corpus", as_corpus(F.col("corpus"), options.corpus))

    def _gather(self, clicks: DataFrame, more: Sequence[str]) -> DataFrame:
        # Keeps rows without an id apart; it is dropped again, so that its order-dependence is never seen.
        lone_row = F.when(F.col("serp_id").isNull(), F.monotonically_increasing_id())
        return (
            clicks.withColumn("lone_row", lone_row)
            .groupBy("corpus", "serp_id", "lone_row")
            .agg(
                *(
                    F.min(name).alias(name)
                    for name in ("session_id", "query", "shown_at", "row_fault", ROW, FILE, *more)
                ),
                F.max("query").alias("last_query"),
                F.array_sort(F.collect_set("doc_id")).alias("clicked_ids"),
                F.count("doc_id").alias("n_clicks"),
                F.count("*").alias("n_rows"),
            )
        )

    def _with_candidates(self, searches: DataFrame) -> DataFrame:
        """Add the query's candidates, most clicked first, and behind them what else the search clicked on."""
        is_sound = F.col("row_fault").isNull() & (F.col("query") == F.col("last_query"))
        chosen = searches.where(is_sound).select("corpus", "query", F.explode("clicked_ids").alias("doc_id"))
        counted = chosen.groupBy("corpus", "query", "doc_id").agg(F.count("*").alias("n"))
        place = F.row_number().over(Window.partitionBy("corpus", "query").orderBy(F.desc("n"), "doc_id"))
        best = counted.withColumn("place", place).where(F.col("place") <= self._options.n_candidates)
        lists = best.groupBy("corpus", "query").agg(
            F.array_sort(F.collect_list(F.struct("place", "doc_id"))).alias("ranked")
        )
        candidates = F.coalesce(F.col("ranked.doc_id"), F.array().cast("array<string>"))
        return (
            searches.join(lists, ["corpus", "query"], "left")
            .withColumn("doc_ids", F.concat(candidates, F.array_except("clicked_ids", candidates)))
            .withColumn("clicked", F.transform("doc_ids", lambda doc: F.array_contains("clicked_ids", doc)))
        )


def _with_ids(clicks: DataFrame) -> DataFrame:
    """Name each search by who asked what on which day; where nobody is named, by the click and its occurrence."""
    numbered = number_pages(clicks, [name for name in clicks.columns if name != "serp_id"])
    who = F.coalesce("session_id", "user_id", "address")
    day = F.coalesce(F.floor(F.unix_seconds("shown_at") / SECONDS_A_DAY).cast("string"), F.lit("-"))
    text = F.to_json(F.struct("corpus", who.alias("who"), "query", day.alias("day")))
    made = F.when(who.isNotNull() & F.col("query").isNotNull(), F.substring(F.sha2(text, 256), 1, _ID_LENGTH))
    return numbered.withColumn("serp_id", F.coalesce(made, "serp_id"))


def _fault() -> Column:
    on_page = page_faults()
    return F.coalesce(
        F.col("row_fault"),
        first_fault(
            {
                "missing_query": on_page.pop("missing_query"),
                "conflicting_query": F.col("query") != F.col("last_query"),
                "missing_doc_id": on_page.pop("missing_doc_id") | (F.col("n_clicks") < F.col("n_rows")),
                "missing_serp_id": F.col("serp_id").isNull(),
                **on_page,
            }
        ),
    )
