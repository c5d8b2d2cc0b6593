"""Reader of User Behavior Insights: query records and event records, in one table or file."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import functions as F

from rankhammer.click_logs.casts import as_corpus, as_position, as_timestamp
from rankhammer.click_logs.columns import Columns, map_columns
from rankhammer.click_logs.faults import GAPS_CLOSED, OUTSIDE_CLICKS, first_fault, is_blank, notes, page_faults
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

SEVERAL_LISTS = "one query_id has several result lists; the longest was used"


class UbiColumns(Columns):
    """Where UBI's fields are; a dot steps into a struct."""

    optional: ClassVar[frozenset[str]] = frozenset(
        {"corpus", "application", "session_id", "client_id", "timestamp", "hit_ids", "old_hit_ids", "ordinal"}
    )
    arrays: ClassVar[frozenset[str]] = frozenset({"hit_ids", "old_hit_ids"})

    corpus: str = Field(
        default="corpus", min_length=1, description="which corpus was searched, for example `application`"
    )
    application: str = Field(default="application", min_length=1, description="whose ordinals start at one number")
    query_id: str = Field(default="query_id", min_length=1, description="one result page, in queries and events")
    user_query: str = Field(default="user_query", min_length=1, description="as typed")
    client_id: str = Field(
        default="client_id", min_length=1, description="a browser; stands in for a missing session_id"
    )
    session_id: str = Field(default="session_id", min_length=1, description="one visit, in events")
    timestamp: str = Field(default="timestamp", min_length=1, description="ISO text or epoch milliseconds")
    hit_ids: str = Field(default="query_response_hit_ids", min_length=1, description="the result list")
    old_hit_ids: str = Field(default="query_response_object_ids", min_length=1, description="its name before UBI 1.3")
    action_name: str = Field(
        default="action_name", min_length=1, description="what an event is; null in a query record"
    )
    object_id: str = Field(default="event_attributes.object.object_id", min_length=1, description="an event's document")
    ordinal: str = Field(default="event_attributes.position.ordinal", min_length=1, description="its place on the page")


class UbiOptions(BaseModel):
    """Options of the `ubi` reader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: UbiColumns = Field(default_factory=UbiColumns, description="UBI's fields to yours")
    corpus: str = Field(default="main", min_length=1, description="corpus of records that name none")
    click_actions: tuple[str, ...] = Field(default=("click",), min_length=1, description="action names that are clicks")
    impression_actions: tuple[str, ...] = Field(("impression", "view"), description="action names that show a document")


class Ubi:
    """User Behavior Insights 1.3: queries and events mixed, bulk-index action lines allowed.

    A page's documents are the query's result list; where none was recorded, the documents of its impression
    and click events in the order of their ordinals. Other events, and events of no query, show nothing.

    References:
        User Behavior Insights Standard, version 1.3.0, 2025.
    """

    Options: ClassVar[type[BaseModel]] = UbiOptions

    def __init__(self, options: UbiOptions) -> None:
        self._options = options

    def to_serps(self, raw: DataFrame) -> DataFrame:
        """Bring a query and its events together: one shuffle by query_id.

        Args:
            raw: Query and event records, as the ndjson of a bulk request holds them.

        Returns:
            `schemas.RAW_SERPS` plus `note`: one row a query_id, a faulty one for a query without an id.
            The note says whether ordinals start at 0 or 1, found for each application.

        Raises:
            SchemaError: A needed field is missing; most often because the log holds only queries or only events.
        """
        records = map_columns(raw, self._options.columns).transform(self._cast)
        pages = _gather(records).join(F.broadcast(_ordinal_bases(records)), ["corpus", "application"], "left")
        pages = pages.transform(_lists).withColumns({"fault": _fault(), "note": _note()})
        return pages.select(*RAW_SERPS.columns, "note")

    def _cast(self, rows: DataFrame) -> DataFrame:
        options, action = self._options, F.col("action_name")
        is_query = action.isNull() & (F.col("query_id").isNotNull() | F.col("user_query").isNotNull())
        is_click = F.coalesce(action.isin(*options.click_actions), F.lit(False))
        shows = is_click | F.coalesce(action.isin(*options.impression_actions), F.lit(False))
        types = dict(rows.dtypes)
        ordinal = as_position(F.col("ordinal"), types["ordinal"])
        at = as_timestamp(F.col("timestamp"), types["timestamp"])
        typed = rows.select(
            as_corpus(F.col("corpus"), options.corpus).alias("corpus"),
            F.coalesce(F.col("application").cast("string"), F.lit("")).alias("application"),
            *(F.col(name).cast("string") for name in ("query_id", "user_query", "client_id", "session_id")),
            at.alias("at"),
            (at.isNull() & F.col("timestamp").isNotNull()).alias("bad_time"),
            *(F.col(name).cast("array<string>") for name in ("hit_ids", "old_hit_ids")),
            F.struct(ordinal.alias("ordinal"), F.col("object_id").cast("string").alias("object_id")).alias("shown"),
            is_query.alias("is_query"),
            (is_click & F.col("object_id").isNotNull()).alias("is_click"),
            (shows & F.col("object_id").isNotNull()).alias("shows"),
        )
        return typed.where(F.col("is_query") | (F.col("shows") & F.col("query_id").isNotNull()))


def _gather(records: DataFrame) -> DataFrame:
    """Collect what the records of a query_id say; sets, minima and maxima do not depend on their order."""
    is_query, recorded = F.col("is_query"), F.filter(F.array("hit_ids", "old_hit_ids"), lambda ids: F.size(ids) > 0)
    lone_row = F.when(F.col("query_id").isNull(), F.monotonically_increasing_id())
    return (
        records.withColumns({"lone_row": lone_row, "hits": F.get(recorded, F.lit(0))})
        .groupBy("corpus", "query_id", "lone_row")
        .agg(
            F.min("application").alias("application"),
            F.array_sort(F.collect_set(F.when(is_query, F.col("user_query")))).alias("queries"),
            F.min("user_query").alias("event_query"),
            F.coalesce(F.min("session_id"), F.min("client_id")).alias("session_id"),
            F.coalesce(F.min(F.when(is_query, F.col("at"))), F.min("at")).alias("shown_at"),
            F.bool_or("bad_time").alias("bad_time"),
            F.sort_array(F.collect_set(F.struct(F.size("hits").alias("n"), "hits"))).alias("lists"),
            F.array_sort(F.collect_set(F.when(F.col("shows"), F.col("shown")))).alias("shown"),
            F.collect_set(F.when(F.col("is_click"), F.col("shown.object_id"))).alias("clicked_ids"),
        )
    )


def _ordinal_bases(records: DataFrame) -> DataFrame:
    """Find for each application whether its ordinals start at 0 or at 1.

    A page's top is seen at least as often as its second place, so zeros that are half as many as ones are
    the top; fewer are slips of a log that starts at 1. A handful of rows: one for each application.
    """
    ordinal = F.col("shown.ordinal")
    counts = (
        records.where(F.col("shows") & ordinal.isNotNull())
        .groupBy("corpus", "application")
        .agg(F.count_if(ordinal == 0).alias("zeros"), F.count_if(ordinal == 1).alias("ones"))
    )
    starts_at_0 = (F.col("zeros") > 0) & (2 * F.col("zeros") >= F.col("ones"))
    return counts.select("corpus", "application", F.when(starts_at_0, 0).otherwise(1).alias("base"))


def _lists(pages: DataFrame) -> DataFrame:
    known = F.filter("lists", lambda entry: entry["n"] > 0)
    hits = F.get(known, F.size(known) - 1)["hits"]
    return (
        pages.withColumnRenamed("query_id", "serp_id")
        .withColumn("query", F.coalesce(F.get("queries", F.lit(0)), F.col("event_query")))
        .withColumn("n_lists", F.size(known))
        .withColumn("doc_ids", F.coalesce(hits, F.col("shown.object_id")))
        .withColumn("clicked", F.transform("doc_ids", lambda doc: F.array_contains("clicked_ids", doc)))
    )


def _fault() -> Column:
    ordinals = F.col("shown.ordinal")
    from_events, on_page = F.col("n_lists") == 0, page_faults()
    return first_fault(
        {
            "missing_serp_id": is_blank(F.col("serp_id")),
            "missing_query": on_page.pop("missing_query"),
            "conflicting_query": F.size("queries") > 1,
            "empty_result_list": on_page.pop("empty_result_list"),
            "bad_position": from_events & F.exists(ordinals, lambda p: p.isNull() | (p < F.col("base"))),
            "repeated_position": from_events & (F.size(F.array_distinct(ordinals)) < F.size(ordinals)),
            **on_page,
            "unreadable_shown_at": F.col("bad_time"),
        }
    )


def _note() -> Column:
    from_events, n_shown = F.col("n_lists") == 0, F.size("shown")
    start = F.format_string("ordinals start at %s in application '%s'", F.col("base").cast("string"), "application")
    return notes(
        {
            SEVERAL_LISTS: F.col("n_lists") > 1,
            OUTSIDE_CLICKS: F.size(F.array_except("clicked_ids", "doc_ids")) > 0,
            GAPS_CLOSED: from_events & (F.array_max("shown.ordinal") - F.col("base") + 1 > n_shown),
        },
        F.when(n_shown > 0, start),
    )
