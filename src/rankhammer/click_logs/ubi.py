"""Reader of User Behavior Insights: query records and event records, in one table or file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import BaseModel, Field
from pyspark.sql import Window
from pyspark.sql import functions as F

from rankhammer.click_logs.columns import (
    ClickLogOptions,
    Columns,
    MaxPosition,
    as_corpus,
    cast_columns,
    has_column,
    map_columns,
)
from rankhammer.click_logs.faults import (
    FILE,
    GAPS_CLOSED,
    NO_DOCUMENT,
    NO_PAGE,
    NOT_A_PAGE,
    OUTSIDE_LIST,
    REPEATED_CLICKS,
    ROW,
    TALLY_TYPE,
    first_fault,
    notes,
    page_faults,
    tally,
)
from rankhammer.click_logs.visitors import ADDRESS, AGENT, USER
from rankhammer.schemas import CLICK_WEIGHTS, RAW_SERPS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import Column, DataFrame

    from rankhammer.casts import Kind

MAX_NAMED_ACTIONS = 20
"""Unknown actions of a corpus that are counted by name, the most frequent ones; the rest is counted together."""
MAX_NAME_CHARS = 60
_GROUP = "records"
_UNKNOWN = "unknown action "
_OTHERS = "other unknown actions"


def outcome() -> Column:
    """Name what becomes of a record; each has one outcome.

    Returns:
        A text over query_id, action_name, object_id, is_query, is_click, is_shown and is_bad.
    """
    action = F.left("action_name", F.lit(MAX_NAME_CHARS))
    kind = F.when(F.col("is_click"), "clicks").otherwise("impressions")
    has_doc = F.col("object_id").isNotNull() | F.col("is_bad")
    return (
        F.when(F.col("is_query"), "queries")
        .when(F.col("is_shown") & F.col("query_id").isNull(), F.concat(kind, F.lit(" of no result page")))
        .when(F.col("is_shown") & ~has_doc, F.concat(kind, F.lit(" without a document")))
        .when(F.col("is_shown"), kind)
        .when(action.isNotNull(), F.concat(F.lit(f"{_UNKNOWN}'"), action, F.lit("'")))
        .when(F.col("object_id").isNotNull(), "events without an action")
        .otherwise("neither a query nor an event")
    )


def tally_rows(records: DataFrame) -> DataFrame:
    """Count a log's records by their outcome.

    Args:
        records: Has corpus and outcome.

    Returns:
        Rows like a reader's (`schemas.RAW_SERPS`, note, tally) that are no pages and hold one count each; some tens a
        corpus, however many actions there are.
    """
    counted = records.groupBy("corpus", "outcome").agg(F.count("*").alias("n"))
    is_unknown = F.col("outcome").startswith(_UNKNOWN)
    place = F.row_number().over(Window.partitionBy("corpus", is_unknown).orderBy(F.desc("n"), "outcome"))
    name = F.when(is_unknown & (place > MAX_NAMED_ACTIONS), _OTHERS).otherwise(F.col("outcome"))
    named = counted.withColumn("outcome", name).groupBy("corpus", "outcome").agg(F.sum("n").alias("n"))
    is_lost = {NO_PAGE: "clicks of no result page", NO_DOCUMENT: "clicks without a document"}
    lost = tally({what: F.when(F.col("outcome") == name, F.col("n")) for what, name in is_lost.items()})
    entry = F.struct(F.concat(F.lit(f"{_GROUP}/"), "outcome").alias("what"), F.col("n").alias("n"))
    counts = F.concat(F.array(entry), F.coalesce(lost, F.array().cast(TALLY_TYPE)))
    known = {"corpus": F.col("corpus"), "fault": F.lit(NOT_A_PAGE)}
    columns = (known.get(name, F.lit(None).cast(kind)).alias(name) for name, kind in RAW_SERPS.columns.items())
    return named.select(*columns, F.lit(None).cast("string").alias("note"), counts.alias("tally"))


_VISITOR = {USER: "client_id", ADDRESS: "address", AGENT: AGENT}
SEVERAL_LISTS = "one query_id has several result lists; the longest was used"


class UbiColumns(Columns):
    """Where UBI's fields are; a dot steps into a struct."""

    optional: ClassVar[frozenset[str]] = frozenset(
        {
            *("corpus", "application", "session_id", "client_id", "address", "user_agent", "timestamp"),
            *("hit_ids", "old_hit_ids", "ordinal"),
        }
    )
    arrays: ClassVar[frozenset[str]] = frozenset({"hit_ids", "old_hit_ids"})
    kinds: ClassVar[Mapping[str, Kind]] = {"timestamp": "time", "ordinal": "position"}

    corpus: str = Field(
        default="corpus", min_length=1, description="which corpus was searched, for example `application`"
    )
    application: str = Field(default="application", min_length=1, description="whose ordinals start at one number")
    query_id: str = Field(default="query_id", min_length=1, description="one result page, in queries and events")
    user_query: str = Field(default="user_query", min_length=1, description="as typed")
    client_id: str = Field(
        default="client_id",
        min_length=1,
        description="a browser; sessions are made of its searches if need be",
    )
    session_id: str = Field(default="session_id", min_length=1, description="one visit, in events")
    address: str = Field(
        default="event_attributes.ip", min_length=1, description="an IP address, in events; hashed, may be missing"
    )
    user_agent: str = Field(
        default="user_agent", min_length=1, description="what a browser calls itself; may be missing"
    )
    timestamp: str = Field(default="timestamp", min_length=1, description="ISO text or epoch milliseconds")
    hit_ids: str = Field(default="query_response_hit_ids", min_length=1, description="the result list")
    old_hit_ids: str = Field(default="query_response_object_ids", min_length=1, description="its name before UBI 1.3")
    action_name: str = Field(
        default="action_name", min_length=1, description="what an event is; null in a query record"
    )
    object_id: str = Field(default="event_attributes.object.object_id", min_length=1, description="an event's document")
    ordinal: str = Field(default="event_attributes.position.ordinal", min_length=1, description="its place on the page")


ActionWeight = Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]


class UbiOptions(ClickLogOptions):
    """Options of the `ubi` reader."""

    columns: UbiColumns = Field(default_factory=UbiColumns, description="UBI's fields to yours")
    click_actions: tuple[str, ...] = Field(default=("click",), min_length=1, description="action names that are clicks")
    impression_actions: tuple[str, ...] = Field(("impression", "view"), description="action names that show a document")
    action_weights: dict[str, ActionWeight] = Field(
        default_factory=dict,
        description="clicks that say more, such as {add_to_cart: 2, purchase: 5}; each of click_actions weighs 1",
    )
    max_position: MaxPosition = 10_000

    @property
    def clicking(self) -> dict[str, float]:
        """Every action that is a click, with its share of the largest weight."""
        weights = dict.fromkeys(self.click_actions, 1.0) | self.action_weights
        return {action: weight / max(weights.values()) for action, weight in weights.items()}


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

    @property
    def weighs_clicks(self) -> bool:
        """Whether some clicks count more than others."""
        return bool(self._options.action_weights)

    def to_serps(self, raw: DataFrame) -> DataFrame:
        """Bring a query and its events together: one shuffle by query_id.

        Args:
            raw: Query and event records, as the ndjson of a bulk request holds them.

        Returns:
            `schemas.RAW_SERPS` (`click_weights` where actions have weights) plus `note`, `tally`, `faults.ROW`,
            `faults.FILE`, and `user_id` (the client) and `address` where the log has them: one row a query_id, a faulty
            one for a query without an id, and rows that only count the status of the records. The note says whether
            ordinals start at 0 or 1, found for each application.

        Raises:
            SchemaError: A needed field is missing; most often because the log holds only queries or only events.
        """
        typed = map_columns(raw, self._options.columns).transform(self._cast)
        records = typed.where("is_used")
        pages = _gather(records).join(F.broadcast(_ordinal_bases(records)), ["corpus", "application"], "left")
        pages = pages.transform(_lists).withColumns({"fault": _fault(), "note": _note(), "tally": _tally()})
        # Without clients or addresses in the log no plan needs to know of them.
        more = [ours for ours, theirs in _VISITOR.items() if has_column(raw, self._options.columns, theirs)]
        weights = [CLICK_WEIGHTS] if self.weighs_clicks else []
        kept = pages.select(*RAW_SERPS.columns, *weights, "note", "tally", ROW, FILE, *more)
        return kept.unionByName(tally_rows(typed), allowMissingColumns=True)

    def _cast(self, rows: DataFrame) -> DataFrame:
        options = self._options
        read = cast_columns(
            rows,
            options.columns,
            time_zone=options.time_zone,
            max_position=options.max_position,
            harmless=("ordinal", "action_name", "client_id", "address", "user_agent", "application"),
        )
        action, doc, page = F.col("action_name"), F.col("object_id"), F.col("query_id")
        is_click = F.coalesce(action.isin(*options.clicking), F.lit(False))
        weight = F.coalesce(*(F.when(action == name, one) for name, one in options.clicking.items()), F.lit(0.0))
        return (
            read.withColumns(
                {
                    "corpus": as_corpus(F.col("corpus"), options.corpus),
                    "application": F.coalesce("application", F.lit("")),
                    "is_query": action.isNull() & doc.isNull() & (page.isNotNull() | F.col("user_query").isNotNull()),
                    "is_click": is_click,
                    "weight": weight,
                    "is_shown": is_click | F.coalesce(action.isin(*options.impression_actions), F.lit(False)),
                    "is_bad": F.col("row_fault").isNotNull(),
                    "shown": F.struct("ordinal", "object_id"),
                }
            )
            .withColumn("outcome", outcome())
            .withColumns(
                {
                    "is_click": F.col("is_click") & doc.isNotNull(),
                    "shows": F.col("is_shown") & doc.isNotNull(),
                    "is_used": F.col("is_query")
                    | (F.col("is_shown") & page.isNotNull() & (doc.isNotNull() | F.col("is_bad"))),
                }
            )
        )


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
            F.min("session_id").alias("session_id"),
            F.min("client_id").alias(USER),
            *(F.min(name).alias(name) for name in (ADDRESS, AGENT)),
            F.coalesce(F.min(F.when(is_query, F.col("timestamp"))), F.min("timestamp")).alias("shown_at"),
            *(F.min(name).alias(name) for name in ("row_fault", ROW, FILE)),
            F.bool_or("bad_ordinal").alias("bad_ordinal"),
            F.sort_array(F.collect_set(F.struct(F.size("hits").alias("n"), "hits"))).alias("lists"),
            F.array_sort(F.collect_set(F.when(F.col("shows"), F.col("shown")))).alias("shown"),
            F.collect_set(F.when(F.col("is_click"), F.col("shown.object_id"))).alias("clicked_ids"),
            F.count_if("is_click").alias("n_click_events"),
            # At most one entry for each document and action.
            F.collect_set(F.when(F.col("is_click"), F.struct("object_id", "weight"))).alias("weighed"),
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
        .withColumn(CLICK_WEIGHTS, F.transform("doc_ids", _largest_weight))
    )


def _largest_weight(doc: Column) -> Column:
    of_doc = F.filter("weighed", lambda one: one["object_id"] == doc)
    return F.coalesce(F.array_max(F.transform(of_doc, lambda one: one["weight"])), F.lit(0.0))


def _fault() -> Column:
    ordinals = F.col("shown.ordinal")
    from_events, on_page = F.col("n_lists") == 0, page_faults()
    return F.coalesce(
        first_fault({"missing_serp_id": F.col("serp_id").isNull() & F.col("row_fault").isNull()}),
        F.col("row_fault"),
        first_fault(
            {
                "missing_query": on_page.pop("missing_query"),
                "conflicting_query": F.size("queries") > 1,
                "empty_result_list": on_page.pop("empty_result_list"),
                "unreadable_position": from_events & F.col("bad_ordinal"),
                "missing_position": from_events & F.exists(ordinals, F.isnull),
                "bad_position": from_events & F.exists(ordinals, lambda p: p < F.col("base")),
                "repeated_position": from_events & (F.size(F.array_distinct(ordinals)) < F.size(ordinals)),
                **on_page,
            }
        ),
    )


def _note() -> Column:
    from_events, n_shown = F.col("n_lists") == 0, F.size("shown")
    start = F.format_string("ordinals start at %s in application '%s'", F.col("base").cast("string"), "application")
    return notes(
        {
            SEVERAL_LISTS: F.col("n_lists") > 1,
            GAPS_CLOSED: from_events & (F.array_max("shown.ordinal") - F.col("base") + 1 > n_shown),
        },
        F.when(n_shown > 0, start),
    )


def _tally() -> Column:
    outside = F.size(F.array_except("clicked_ids", F.coalesce("doc_ids", F.array().cast("array<string>"))))
    return tally({OUTSIDE_LIST: outside, REPEATED_CLICKS: F.col("n_click_events") - F.size("clicked_ids")})
