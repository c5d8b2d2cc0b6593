"""What every judgment exporter offers, and judgments as tools want them: one row per query text and document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel
    from pyspark.sql import Column, DataFrame, Row


@dataclass(frozen=True)
class JudgedQuery:
    """One query text of a corpus with its graded documents.

    Args:
        text: As it was typed.
        topic_id: The id of its query cluster; the same text has the same id in every run.
        grades: doc_id to grade (0 .. max_grade), at least one, by doc_id in the order of their UTF-8 bytes.
    """

    text: str
    topic_id: str
    grades: Mapping[str, int]


class JudgmentExporter(Protocol):
    """A writer of one tool's format for judgments."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: BaseModel) -> None: ...

    @property
    def target(self) -> str:
        """Name of the tool, used as folder name: letters, digits, `_`, `-` and `.`."""
        ...

    def fault(self, query: str, doc_id: str) -> str:
        """Say in a few words why the format cannot hold a judgment of this pair; empty when it can.

        The judgment is then left out, and counted under these words: they name no query and no document.
        """
        ...

    def write(self, corpus: str, queries: Iterable[JudgedQuery]) -> Iterator[tuple[str, bytes]]:
        """Write one corpus's judgments, reading the queries once and keeping few of them.

        Args:
            corpus: Whose judgments they are.
            queries: By text, in the order of its UTF-8 bytes, without the judgments that have a fault.

        Yields:
            (file name, next part of its content); all parts of a file follow each other. The same queries give the
            same bytes.
        """
        ...


_PARTITION_ROWS = 100_000
"""Judgments in a partition, about: some 10 MB come to the driver at a time."""


def judged_queries(judgments: DataFrame) -> DataFrame:
    """Collect the graded judgments of each query text, and sort the texts.

    Tools know a query by its text alone. Where two clusters of a corpus have the same text, a document that both
    judge keeps the grade with more examinations behind it, then that of the smaller cluster id.

    Args:
        judgments: Hand-off `judgments`, grain (corpus, query_cluster_id, doc_id). Null grades are left out.

    Returns:
        Grain (corpus, query), sorted by it over all partitions: topic_id, the smallest cluster id of the text, and
        doc_ids and grades, arrays of one length in the order of doc_ids.
    """
    graded = judgments.where(F.col("grade").isNotNull())
    # An action for one number: partitions must stay small, however many judgments there are.
    n_partitions = 1 + graded.count() // _PARTITION_ROWS
    # Structs are compared field by field: by document, then the most examinations, then the smaller cluster id.
    judged = F.struct("doc_id", (-F.col("n_examined")).alias("evidence"), "query_cluster_id", "grade")
    return (
        graded.repartitionByRange(n_partitions, "corpus", "query")
        .groupBy("corpus", "query")
        .agg(F.min("query_cluster_id").alias("topic_id"), F.sort_array(F.collect_list(judged)).alias("judged"))
        .withColumn("judged", F.filter("judged", _is_first_of_document))
        .sortWithinPartitions("corpus", "query")
        .select(
            "corpus",
            "query",
            "topic_id",
            F.col("judged.doc_id").alias("doc_ids"),
            F.col("judged.grade").alias("grades"),
        )
    )


def _is_first_of_document(entry: Column, place: Column) -> Column:
    """Compare with the entry before; before the first there is null."""
    return ~entry["doc_id"].eqNullSafe(F.get("judged", place - 1)["doc_id"])


def as_query(row: Row) -> JudgedQuery:
    """Turn a row of `judged_queries` into what exporters write."""
    return JudgedQuery(row.query, row.topic_id, dict(zip(row.doc_ids, row.grades, strict=True)))
