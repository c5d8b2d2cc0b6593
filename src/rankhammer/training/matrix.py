"""One corpus's training matrix as arrays, read from its Parquet file without Spark."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rankhammer.rankers.base import RankingData
from rankhammer.rankers.scoring import struct_to_matrix

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pyarrow as pa
    from numpy.typing import NDArray

Truth = Literal["clicks", "reference"]
"""Whose grades to learn: the judgments from clicks, or the reference judgments."""

_GRADES: dict[Truth, str] = {"clicks": "grade", "reference": "reference_grade"}
_ORDER = [("qid", "ascending"), ("doc_id", "ascending")]
_COLUMNS = ["qid", "doc_id", "split", "fold", "grade", "reference_grade", "weight", "features"]


@dataclass(frozen=True)
class CorpusArrays:
    """The rows of one corpus, sorted by (qid, doc_id).

    Memory: 4 bytes per feature value and about 30 bytes per row.

    Args:
        features: float32, shape (n_rows, n_features).
        feature_names: In column order.
        qid: Shape (n_rows,).
        fold: Shape (n_rows,).
        in_train: Whether a row is of the train split, shape (n_rows,).
        grades: Truth to float32 grades, NaN where there is none, shape (n_rows,) each.
        weight: Shape (n_rows,).
    """

    features: NDArray[np.float32]
    feature_names: tuple[str, ...]
    qid: NDArray[np.int32]
    fold: NDArray[np.int32]
    in_train: NDArray[np.bool_]
    grades: dict[Truth, NDArray[np.float32]]
    weight: NDArray[np.float64]

    @property
    def n_bytes(self) -> int:
        """Bytes that the feature vectors take."""
        return self.features.nbytes

    def trainable(self, truth: Truth) -> NDArray[np.bool_]:
        """Mark the rows of the train split that have a grade, shape (n_rows,)."""
        return self.in_train & ~np.isnan(self.grades[truth])

    def ranking_data(self, rows: NDArray[np.bool_], truth: Truth, *, weighted: bool = True) -> RankingData:
        """Copy the marked rows into what a ranker takes.

        Args:
            rows: Marks the rows, shape (n_rows,).
            truth: Whose grades become the label.
            weighted: False gives every row weight 1: a validation metric counts each query once, as ours does.
        """
        weight = self.weight[rows] if weighted else np.ones(int(rows.sum()))
        return RankingData(self.features[rows], self.grades[truth][rows], self.qid[rows], weight, self.feature_names)


@dataclass(frozen=True)
class CorpusFacts:
    """What there is to train one corpus on; read from the narrow columns alone.

    Args:
        folds: Folds of the train split that have a relevant document from clicks, ascending.
        n_rows: Split to number of rows.
        n_queries: Split to number of queries.
        n_graded_rows: Rows of the train split with a grade from clicks.
        n_graded_queries: Queries of those rows.
        has_reference: Whether some row of the train split has a relevant reference grade.
        n_relevant: Rows of both splits that have one.
    """

    folds: tuple[int, ...]
    n_rows: dict[str, int]
    n_queries: dict[str, int]
    n_graded_rows: int
    n_graded_queries: int
    has_reference: bool
    n_relevant: int


def read_corpus(paths: Sequence[str]) -> CorpusArrays:
    """Read one corpus's rows (`schemas.TRAINING_MATRIX`) into arrays.

    Args:
        paths: Local Parquet files of one corpus; usually one.
    """
    table = _read(paths, _COLUMNS).sort_by(_ORDER)
    vectors = table["features"].combine_chunks()
    return CorpusArrays(
        features=struct_to_matrix(vectors),
        feature_names=tuple(feature.name for feature in vectors.type),
        qid=_array(table, "qid"),
        fold=_array(table, "fold"),
        in_train=_array(table, "split") == "train",
        grades={truth: _nullable(table, column) for truth, column in _GRADES.items()},
        weight=_array(table, "weight"),
    )


def read_facts(paths: Sequence[str]) -> CorpusFacts:
    """Count what a corpus has, for the driver: about 20 bytes per row are read, no features.

    Args:
        paths: Local Parquet files of one corpus.
    """
    table = _read(paths, ["qid", "split", "fold", "grade", "reference_grade"])
    qid, split, fold = (_array(table, name) for name in ("qid", "split", "fold"))
    train = split == "train"
    grade, reference = _nullable(table, "grade"), _nullable(table, "reference_grade")
    graded = train & ~np.isnan(grade)
    return CorpusFacts(
        folds=tuple(np.unique(fold[train & (grade > 0)]).tolist()),
        n_rows={name: int((split == name).sum()) for name in ("train", "test")},
        n_queries={name: len(np.unique(qid[split == name])) for name in ("train", "test")},
        n_graded_rows=int(graded.sum()),
        n_graded_queries=len(np.unique(qid[graded])),
        has_reference=bool((train & (reference > 0)).any()),
        n_relevant=int((reference > 0).sum()),
    )


def has_rows(path: str | Path) -> bool:
    """Say whether a local Parquet file holds any row; reads its footer alone."""
    import pyarrow.parquet as pq

    return bool(pq.read_metadata(path).num_rows)


@dataclass(frozen=True)
class SampleVectors:
    """Some feature vectors of one corpus, whole queries as far as they go.

    Args:
        features: float32, shape (n, n_features).
        qid: Query of each vector, shape (n,).
        query: As typed, one a vector.
        doc_id: One a vector.
    """

    features: NDArray[np.float32]
    qid: NDArray[np.int32]
    query: tuple[str, ...]
    doc_id: tuple[str, ...]


def sample_vectors(paths: Sequence[str], n: int) -> SampleVectors:
    """Pick queries by a hash of their cluster until there are enough vectors: the same ones on every run.

    Args:
        paths: Local Parquet files of one corpus.
        n: Largest number of vectors.
    """
    import pandas as pd

    keys = _read(paths, ["query_cluster_id", "qid", "doc_id"]).to_pandas()
    keys.insert(0, "place", pd.util.hash_pandas_object(keys["query_cluster_id"], index=False))
    chosen = keys.sort_values(["place", "query_cluster_id", "qid", "doc_id"]).index.to_numpy()[:n]
    taken = _read(paths, ["query", "features"]).take(chosen)
    doc_ids = tuple(keys["doc_id"].to_numpy()[chosen].tolist())
    return SampleVectors(
        struct_to_matrix(taken["features"].combine_chunks()),
        keys["qid"].to_numpy()[chosen],
        tuple(taken["query"].to_pylist()),
        doc_ids,
    )


def _read(paths: Sequence[str], columns: list[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # partitioning=None: the folder names of a local copy mean nothing.
    return pa.concat_tables([pq.read_table(path, columns=columns, partitioning=None) for path in paths])


def _array(table: pa.Table, column: str) -> NDArray[Any]:
    values: NDArray[Any] = table[column].to_numpy()
    return values


def _nullable(table: pa.Table, column: str) -> NDArray[np.float32]:
    """Grades as floats, NaN where null."""
    import pyarrow as pa

    values: NDArray[np.float32] = table[column].cast(pa.float32()).to_numpy().astype(np.float32)
    return values
