"""Reader of the Yandex WSCD click samples, as click-model libraries ship them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field
from pyspark.sql import functions as F

from rankhammer.click_logs.columns import MAX_ROW_CHARS, Columns, map_columns
from rankhammer.click_logs.faults import OUTSIDE_LIST, ROW, first_fault, page_faults, tally
from rankhammer.click_logs.identity import number_pages
from rankhammer.schemas import RAW_SERPS
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

# query_region TAB doc,doc,... : clicked , clicked
_RECORD = r"^([^\t]+)\t([^\t:]*):([^\t:]*)$"
MAX_RECORD_CHARS = 100_000
"""A longer record is cut one character behind this and unreadable: no result page takes that much text."""


class YandexColumns(Columns):
    """The one column of a table of text lines."""

    value: str = Field(default="value", min_length=1, description="the text")


class YandexOptions(StrictModel):
    """Options of the `yandex_wscd` reader."""

    columns: YandexColumns = Field(default_factory=YandexColumns, description="our names to yours")
    corpus: str = Field(default="main", min_length=1, description="corpus of the whole log")


class YandexWscd:
    r"""Yandex WSCD text: records ``query_region\tdoc,doc,... : clicked docs in click order`` parted by ``;``.

    References:
        P. Serdyukov, G. Dupret, N. Craswell, "WSCD2012: Workshop on Web Search Click Data", WSDM 2012.
    """

    Options: ClassVar[type[BaseModel]] = YandexOptions

    def __init__(self, options: YandexOptions) -> None:
        self._options = options

    def to_serps(self, raw: DataFrame) -> DataFrame:
        """Cut the text into records, one a result page; several clicks on a document count once.

        Args:
            raw: Lines of text; a line may hold many records.

        Returns:
            `schemas.RAW_SERPS` plus `tally` and `faults.ROW`. The format knows neither time nor session: both are null.
            Ids come from a record's text and its occurrence.

        Raises:
            SchemaError: There is no column of text.
        """
        records = map_columns(raw, self._options.columns).transform(_records)
        pages = number_pages(records, ["record"]).transform(self._parse)
        is_record = (F.length("record") <= MAX_RECORD_CHARS) & F.col("record").rlike(_RECORD)
        outside = F.size(F.array_except("clicked_ids", "doc_ids"))
        found = pages.withColumns(
            {
                "fault": first_fault({"unreadable_record": ~is_record, **page_faults()}),
                "tally": tally({OUTSIDE_LIST: outside}),
                ROW: F.when(~is_record, F.to_json(F.struct(F.left("record", F.lit(MAX_ROW_CHARS)).alias("record")))),
            }
        )
        return found.select(*RAW_SERPS.columns, "tally", ROW)

    def _parse(self, numbered: DataFrame) -> DataFrame:
        return (
            numbered.withColumn("corpus", F.lit(self._options.corpus))
            .withColumn("session_id", F.lit(None).cast("string"))
            .withColumn("shown_at", F.lit(None).cast("timestamp"))
            .withColumn("query", F.trim(F.regexp_extract("record", _RECORD, 1)))
            .withColumn("doc_ids", _ids(F.regexp_extract("record", _RECORD, 2)))
            .withColumn("clicked_ids", _ids(F.regexp_extract("record", _RECORD, 3)))
            .withColumn("clicked", F.transform("doc_ids", lambda doc: F.array_contains("clicked_ids", doc)))
        )


def _records(lines: DataFrame) -> DataFrame:
    """Part lines at semicolons. A line may hold the whole file: `load_args: {lineSep: ";"}` parts it on reading."""
    parts = lines.select(F.explode(F.split(F.col("value").cast("string"), r"[;\r\n]")).alias("part"))
    records = parts.select(F.left(F.trim("part"), F.lit(MAX_RECORD_CHARS + 1)).alias("record"))
    return records.where(F.col("record") != "")


def _ids(text: Column) -> Column:
    """Part a list at commas; an empty text is an empty list."""
    return F.filter(F.split(F.regexp_replace(text, " ", ""), ","), lambda part: part != "")
