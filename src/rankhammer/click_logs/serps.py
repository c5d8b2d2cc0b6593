"""Reader of logs that already hold one row a result page, with arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import functions as F

from rankhammer.click_logs.casts import as_clicked, as_corpus, as_timestamp
from rankhammer.click_logs.columns import Columns, has_column, map_columns
from rankhammer.click_logs.faults import first_fault, is_blank, page_faults
from rankhammer.click_logs.identity import is_repeated_id, number_pages
from rankhammer.schemas import RAW_SERPS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

_CONTENT = ("session_id", "query", "shown_at", "bad_time", "doc_ids", "clicked")


class SerpColumns(Columns):
    """Our name of each column of a page-wise log to the user's."""

    optional: ClassVar[frozenset[str]] = frozenset({"corpus", "serp_id", "session_id", "shown_at"})
    arrays: ClassVar[frozenset[str]] = frozenset({"doc_ids", "clicked"})

    corpus: str = Field(default="corpus", min_length=1, description="which corpus the page searched; may be missing")
    serp_id: str = Field(
        default="serp_id", min_length=1, description="id of the page; made from its content if missing"
    )
    session_id: str = Field(default="session_id", min_length=1, description="one visit; may be missing")
    query: str = Field(default="query", min_length=1, description="as typed")
    shown_at: str = Field(default="shown_at", min_length=1, description="time, ISO text or epoch; may be missing")
    doc_ids: str = Field(default="doc_ids", min_length=1, description="array of document ids in shown order")
    clicked: str = Field(default="clicked", min_length=1, description="array as long: true/false, 0/1, or counts")


class SerpOptions(BaseModel):
    """Options of the `serps` reader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    columns: SerpColumns = Field(default_factory=SerpColumns, description="our names to yours")
    corpus: str = Field(default="main", min_length=1, description="corpus of rows that name none")


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
            `schemas.RAW_SERPS`, one row for each row of `raw`.

        Raises:
            SchemaError: A needed column is missing, or doc_ids or clicked is not an array.
        """
        pages = map_columns(raw, self._options.columns).transform(self._cast)
        has_ids = has_column(raw, self._options.columns, "serp_id")
        if not has_ids:
            pages = number_pages(pages, ["corpus", *_CONTENT])
        faults = {
            "missing_serp_id": is_blank(F.col("serp_id")),
            **page_faults(),
            "unreadable_shown_at": F.col("bad_time"),
        }
        if has_ids:
            faults["duplicate_serp_id"] = is_repeated_id(_CONTENT)
        return RAW_SERPS.select(pages.withColumn("fault", first_fault(faults)))

    def _cast(self, rows: DataFrame) -> DataFrame:
        types = dict(rows.dtypes)
        clicked_type = types["clicked"].removeprefix("array<").removesuffix(">")
        shown_at = as_timestamp(F.col("shown_at"), types["shown_at"])
        return rows.select(
            as_corpus(F.col("corpus"), self._options.corpus).alias("corpus"),
            F.col("serp_id").cast("string"),
            F.col("session_id").cast("string"),
            F.col("query").cast("string"),
            shown_at.alias("shown_at"),
            (shown_at.isNull() & F.col("shown_at").isNotNull()).alias("bad_time"),
            F.col("doc_ids").cast("array<string>"),
            F.transform("clicked", lambda clicked: as_clicked(clicked, clicked_type)).alias("clicked"),
        )
