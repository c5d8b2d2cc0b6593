"""How many judged documents an engine has, known before anything is scored or written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Coverage:
    """What a feature source can serve of one corpus.

    Args:
        corpus: Which one.
        n_documents: Documents that the source has; None where it does not say.
        n_rows: (query, document) pairs asked for.
        n_missing: Those whose document the source does not have.
        example: The first such doc_id in alphabetical order; None when there is none.
    """

    corpus: str
    n_documents: int | None
    n_rows: int
    n_missing: int
    example: str | None

    @property
    def missing_share(self) -> float:
        """Share of the pairs whose document is missing, 0 to 1."""
        return self.n_missing / self.n_rows


def coverage_in(rows: DataFrame, documents: DataFrame) -> list[Coverage]:
    """Compare pairs with the documents that are at hand.

    Args:
        rows: Has corpus, doc_id.
        documents: Has corpus, doc_id.

    Returns:
        One entry a corpus of `rows`, in alphabetical order.
    """
    from pyspark.sql import functions as F

    asked = rows.groupBy("corpus", "doc_id").agg(F.count(F.lit(1)).alias("n_rows"))
    had = documents.select("corpus", "doc_id", F.lit(True).alias("known"))
    missing = F.col("known").isNull()
    per_corpus = (
        asked.join(had, ["corpus", "doc_id"], "full_outer")
        .groupBy("corpus")
        .agg(
            F.count("known").alias("n_documents"),
            F.coalesce(F.sum("n_rows"), F.lit(0)).alias("n_rows"),
            F.coalesce(F.sum(F.when(missing, F.col("n_rows"))), F.lit(0)).alias("n_missing"),
            F.min(F.when(missing, F.col("doc_id"))).alias("example"),
        )
        .where("n_rows > 0")
        .orderBy("corpus")
    )
    # One row a corpus comes back: the run must stop here, before any row is written.
    return [Coverage(**row.asDict()) for row in per_corpus.collect()]


def coverage_of(collected: DataFrame) -> list[Coverage]:
    """Count the rows for which a source returned no features.

    Args:
        collected: What a feature source returned; read once here, so persist it where scoring is dear.

    Returns:
        One entry a corpus, in alphabetical order.
    """
    from pyspark.sql import functions as F

    missing = F.col("features").isNull()
    per_corpus = (
        collected.groupBy("corpus")
        .agg(
            F.lit(None).cast("bigint").alias("n_documents"),
            F.count(F.lit(1)).alias("n_rows"),
            F.count_if(missing).alias("n_missing"),
            F.min(F.when(missing, F.col("doc_id"))).alias("example"),
        )
        .orderBy("corpus")
    )
    # One row a corpus comes back: the run must stop here, before any row is written.
    return [Coverage(**row.asDict()) for row in per_corpus.collect()]
