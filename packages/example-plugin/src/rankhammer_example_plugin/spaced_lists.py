"""Reader of logs that write a page's documents and its clicks as text, ids parted by spaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pyspark.sql import functions as F

from rankhammer.click_logs.faults import first_fault, page_faults
from rankhammer.click_logs.identity import is_repeated_id
from rankhammer.schemas import RAW_SERPS, Table

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

PAGES = Table(
    "spaced_lists",
    ("page",),
    {"page": "string", "visit": "string", "typed": "string", "shown": "string", "clicked": "string"},
)
"""What the reader expects: `shown` and `clicked` hold ids parted by spaces."""


class SpacedListsOptions(BaseModel):
    """Options of the `spaced_lists` reader."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    corpus: str = Field("main", min_length=1, description="corpus of the whole log")


class SpacedLists:
    """One row a result page; documents and clicks are text, ids parted by spaces."""

    Options: ClassVar[type[BaseModel]] = SpacedListsOptions

    def __init__(self, options: SpacedListsOptions) -> None:
        self._options = options

    def to_serps(self, raw: DataFrame) -> DataFrame:
        """Part the lists at their spaces.

        Args:
            raw: Columns page, visit, typed, shown and clicked, all text.

        Returns:
            `schemas.RAW_SERPS`, one row for each row of `raw`. The format knows no time: shown_at is null.

        Raises:
            SchemaError: A column is missing.
        """
        PAGES.require(raw.dtypes)
        pages = raw.select(
            F.lit(self._options.corpus).alias("corpus"),
            F.col("page").alias("serp_id"),
            F.col("visit").alias("session_id"),
            F.col("typed").alias("query"),
            F.lit(None).cast("timestamp").alias("shown_at"),
            _ids("shown").alias("doc_ids"),
            _ids("clicked").alias("clicked_ids"),
        ).withColumn("clicked", F.transform("doc_ids", lambda doc: F.array_contains("clicked_ids", doc)))
        faults = {
            "missing_serp_id": F.col("serp_id").isNull(),
            **page_faults(),
            "click_outside_page": F.size(F.array_except("clicked_ids", "doc_ids")) > 0,
            "duplicate_serp_id": is_repeated_id(("session_id", "query", "doc_ids", "clicked_ids")),
        }
        return RAW_SERPS.select(pages.withColumn("fault", first_fault(faults)))


def _ids(name: str) -> Column:
    """Part a text at spaces; null and blank texts are empty lists."""
    return F.filter(F.split(F.coalesce(F.col(name), F.lit("")), " "), lambda part: part != "")
