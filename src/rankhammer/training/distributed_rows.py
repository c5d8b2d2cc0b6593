"""A corpus whose models several tasks train together: its rows stay in Spark, and each task gets whole queries."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import functions as F

from rankhammer.rankers.scoring import struct_to_matrix
from rankhammer.training.matrix import GRADE_COLUMNS, CorpusFacts, SampleVectors, Truth

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

PART = "part"
_BEYOND = np.int32(2**31 - 1)
"""Of a part without queries."""


@dataclass(frozen=True)
class Queries:
    """What is known of each query of a corpus, by qid: some 40 bytes a query.

    Args:
        qid: Ascending, shape (n_queries,).
        in_train: Whether it is of the train split, shape (n_queries,).
        fold: Shape (n_queries,).
        n_rows: All of its rows, shape (n_queries,).
        n_graded: Truth to how many of them have a grade, shape (n_queries,) each.
        n_relevant: Truth to how many of them have a grade above 0, likewise.
        lowest: Truth to their lowest grade, NaN where none has one, likewise.
        highest: Truth to their highest grade, likewise.
    """

    qid: NDArray[np.int32]
    in_train: NDArray[np.bool_]
    fold: NDArray[np.int32]
    n_rows: NDArray[np.int64]
    n_graded: dict[Truth, NDArray[np.int64]]
    n_relevant: dict[Truth, NDArray[np.int64]]
    lowest: dict[Truth, NDArray[np.float64]]
    highest: dict[Truth, NDArray[np.float64]]

    def facts(self) -> CorpusFacts:
        """Return what `matrix.read_facts` reads of a corpus that one task trains."""
        train, clicks, reference = self.in_train, self.n_relevant["clicks"], self.n_relevant["reference"]
        splits = {"train": train, "test": ~train}
        graded = self.n_graded["clicks"] * train
        return CorpusFacts(
            folds=tuple(np.unique(self.fold[train & (clicks > 0)]).tolist()),
            n_rows={name: int(self.n_rows[of].sum()) for name, of in splits.items()},
            n_queries={name: int(of.sum()) for name, of in splits.items()},
            n_graded_rows=int(graded.sum()),
            n_graded_queries=int((graded > 0).sum()),
            has_reference=bool((reference[train] > 0).any()),
            n_relevant=int(reference.sum()),
            n_telling_queries=int((self.highest["clicks"] > self.lowest["clicks"])[train].sum()),
            highest_grade=int(max(np.nanmax(of[train], initial=0.0) for of in self.highest.values())),
            lowest_grade=int(min(np.nanmin(of[train], initial=0.0) for of in self.lowest.values())),
        )

    def parts(self, n: int, truth: Truth) -> list[Part]:
        """Cut the queries into n ranges of about the same number of trainable rows; no query is in two of them.

        Args:
            n: Tasks; no more than there are trainable queries.
            truth: Whose grades are learned.
        """
        rows = self.n_graded[truth] * self.in_train
        before = np.r_[0, np.cumsum(rows)]
        wanted = before[-1] * np.arange(1, n) / n
        cuts = [0, *np.searchsorted(before, wanted).tolist(), len(self.qid)]
        firsts = np.r_[self.qid, _BEYOND]
        return [
            Part(int(firsts[low]), int(rows[low:high].sum()), int((rows[low:high] > 0).sum()))
            for low, high in pairwise(cuts)
        ]


@dataclass(frozen=True)
class Part:
    """The queries that one task holds.

    Args:
        first: The smallest qid that may be among them; it goes on to that of the next part.
        n_rows: Trainable rows.
        n_queries: Queries of those rows.
    """

    first: int
    n_rows: int
    n_queries: int


@dataclass(frozen=True)
class DistributedCorpus:
    """A corpus whose rows no single task gets.

    Args:
        corpus: Whose rows they are.
        table: schemas.TRAINING_MATRIX, this corpus alone.
        n_workers: Tasks that train a model together, 2 or more.
    """

    corpus: str
    table: DataFrame
    n_workers: int

    def queries(self) -> Queries:
        """Count the rows of each query."""
        counts = [F.count(F.lit(1)).alias("n_rows"), F.first("split").alias("split"), F.first("fold").alias("fold")]
        for truth, column in GRADE_COLUMNS.items():
            is_relevant = F.when(F.col(column) > 0, 1)
            counts += [F.count(column).alias(f"{truth}_graded"), F.count(is_relevant).alias(f"{truth}_relevant")]
            counts += [F.min(column).alias(f"{truth}_lowest"), F.max(column).alias(f"{truth}_highest")]
        # An action: a row of numbers a query comes back, as arrays. Parts, folds and counts are made of them.
        found = self.table.groupBy("qid").agg(*counts).toArrow().sort_by("qid")
        columns = {name: found[name].to_numpy() for name in found.column_names if name != "split"}
        return Queries(
            qid=columns["qid"],
            in_train=np.asarray(found["split"].to_numpy() == "train"),
            fold=columns["fold"],
            n_rows=columns["n_rows"],
            n_graded={truth: columns[f"{truth}_graded"] for truth in GRADE_COLUMNS},
            n_relevant={truth: columns[f"{truth}_relevant"] for truth in GRADE_COLUMNS},
            lowest={truth: columns[f"{truth}_lowest"].astype(float) for truth in GRADE_COLUMNS},
            highest={truth: columns[f"{truth}_highest"].astype(float) for truth in GRADE_COLUMNS},
        )

    def rows_of(self, parts: list[Part], fold: int | None, truth: Truth) -> DataFrame:
        """Return the trainable rows, each part in a partition of its own, sorted by query and document.

        Args:
            parts: Of `Queries.parts`.
            fold: The validation fold; None: there is none.
            truth: Whose grades become the label.
        """
        grade = GRADE_COLUMNS[truth]
        # The range of a query is worked out here, so that no sample of the rows decides it.
        place = F.lit(0)
        for part in parts[1:]:
            place += (F.col("qid") >= part.first).cast("int")
        weight = F.col("weight") if truth == "clicks" else F.lit(1.0)
        return (
            self.table.where((F.col("split") == "train") & F.col(grade).isNotNull())
            .select(
                "qid",
                "doc_id",
                F.col(grade).cast("float").alias("label"),
                weight.alias("weight"),
                (F.lit(False) if fold is None else F.col("fold") == fold).alias("is_valid"),
                "features",
                place.alias(PART),
            )
            .repartitionById(len(parts), F.col(PART))
            .sortWithinPartitions("qid", "doc_id")
            .drop("doc_id", PART)
        )

    def sample(self, n: int) -> SampleVectors:
        """Pick queries by a hash of their cluster until there are enough vectors.

        Args:
            n: Largest number of vectors.
        """
        order = [F.xxhash64("query_cluster_id"), *map(F.col, ("query_cluster_id", "qid", "doc_id"))]
        # An action: n vectors come back.
        taken = self.table.orderBy(*order).limit(n).select("qid", "doc_id", "query", "features").toArrow()
        return SampleVectors(
            struct_to_matrix(taken["features"].combine_chunks()),
            taken["qid"].to_numpy(),
            tuple(taken["query"].to_pylist()),
            tuple(taken["doc_id"].to_pylist()),
        )
