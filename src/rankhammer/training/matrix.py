"""One corpus's training matrix as arrays, read from its Parquet file without Spark."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from rankhammer.rankers.base import RankingData
from rankhammer.rankers.scoring import struct_to_matrix

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

Truth = Literal["clicks", "reference"]
"""Whose grades to learn: the judgments from clicks, or the reference judgments."""

GRADE_COLUMNS: dict[Truth, str] = {"clicks": "grade", "reference": "reference_grade"}
_ORDER = [("qid", "ascending"), ("doc_id", "ascending")]
_COLUMNS = ["qid", "doc_id", "split", "fold", "grade", "reference_grade", "weight", "mean_position", "features"]
_STREAMED_ROWS = 1 << 16
"""Rows that are read at a time where a matrix is not in memory as a whole."""
_AFTER_FOOTER = 8
"""Bytes of the footer's length and of Parquet's mark."""
_BLOCK = 1 << 20


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
        position: Mean position in the log, shape (n_rows,).
    """

    features: NDArray[np.float32]
    feature_names: tuple[str, ...]
    qid: NDArray[np.int32]
    fold: NDArray[np.int32]
    in_train: NDArray[np.bool_]
    grades: dict[Truth, NDArray[np.float32]]
    weight: NDArray[np.float64]
    position: NDArray[np.float64]

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
        label, position = self.grades[truth][rows], self.position[rows]
        return RankingData(self.features[rows], label, self.qid[rows], weight, self.feature_names, position)

    def rows_of(self, fold: int | None, truth: Truth, *, is_validation: bool) -> RankingData:
        """Copy the rows of one fit.

        Args:
            fold: The validation fold; None: all trainable rows are trained on.
            truth: Whose grades become the label.
            is_validation: Whether the rows of the fold are meant, or all others.
        """
        rows = self.trainable(truth)
        if fold is not None:
            rows &= (self.fold == fold) == is_validation
        # A row's weight tells how much the clicks know about it; a person's grade needs no such caution.
        return self.ranking_data(rows, truth, weighted=truth == "clicks" and not is_validation)


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
        n_telling_queries: Queries of the train split whose grades from clicks differ: others say nothing of an order.
        highest_grade: Of the train split, by either truth; 0 or more.
        lowest_grade: Likewise; 0 or less.
    """

    folds: tuple[int, ...]
    n_rows: dict[str, int]
    n_queries: dict[str, int]
    n_graded_rows: int
    n_graded_queries: int
    has_reference: bool
    n_relevant: int
    n_telling_queries: int
    highest_grade: int
    lowest_grade: int = 0


def read_corpus(paths: Sequence[str]) -> CorpusArrays:
    """Read one corpus's rows (`schemas.TRAINING_MATRIX`) into arrays.

    Args:
        paths: Local Parquet files of one corpus; usually one.
    """
    n_rows, _ = count_values(paths)
    if not n_rows or not _is_sorted(paths):
        return _arrays(_read(paths, _COLUMNS).sort_by(_ORDER))
    return _joined(stream_corpus(paths), n_rows)


def _is_sorted(paths: Sequence[str]) -> bool:
    """Say whether files are sorted as they were written; then their rows need not all be copied once more."""
    import pyarrow.compute as pc

    last: tuple[int, str] | None = None
    for batch in _stream(paths, ["qid", "doc_id"]):
        qid, doc_id = _array(batch, "qid"), batch["doc_id"].combine_chunks()
        if not len(qid):
            continue
        if last is not None and last > (int(qid[0]), doc_id[0].as_py()):
            return False
        steps = np.diff(qid)
        in_order = pc.less_equal(doc_id[:-1], doc_id[1:]).to_numpy(zero_copy_only=False)
        if ((steps < 0) | ((steps == 0) & ~in_order)).any():
            return False
        last = int(qid[-1]), doc_id[-1].as_py()
    return True


def _joined(parts: Iterator[CorpusArrays], n_rows: int) -> CorpusArrays:
    """Put parts together while they are read, so that features are in memory once."""
    narrow: list[CorpusArrays] = []
    features, names, first = np.empty((0, 0), np.float32), tuple[str, ...](), 0
    for part in parts:
        if not first:
            names = part.feature_names
            features = np.empty((n_rows, len(names)), np.float32)
        features[first : first + len(part.qid)] = part.features
        first += len(part.qid)
        narrow.append(replace(part, features=part.features[:0]))
    return CorpusArrays(
        features=features,
        feature_names=names,
        qid=np.concatenate([one.qid for one in narrow]),
        fold=np.concatenate([one.fold for one in narrow]),
        in_train=np.concatenate([one.in_train for one in narrow]),
        grades={truth: np.concatenate([one.grades[truth] for one in narrow]) for truth in GRADE_COLUMNS},
        weight=np.concatenate([one.weight for one in narrow]),
        position=np.concatenate([one.position for one in narrow]),
    )


def stream_corpus(paths: Sequence[str]) -> Iterator[CorpusArrays]:
    """Read one corpus's rows part by part, in the order of `read_corpus`; there is never more than a part in memory.

    Args:
        paths: Local Parquet files of one corpus, each sorted by query and document, in order.
    """
    for batch in _stream(paths, _COLUMNS):
        yield _arrays(batch)


def count_values(paths: Sequence[str]) -> tuple[int, int]:
    """Return (rows, features) of a corpus; the footers alone are read.

    Args:
        paths: Local Parquet files of one corpus.
    """
    import pyarrow.parquet as pq

    found = [pq.read_metadata(path) for path in paths]
    schema = found[0].schema
    names = {schema.column(place).path for place in range(len(schema.names))}
    return sum(one.num_rows for one in found), sum(name.startswith("features.") for name in names)


def _arrays(table: pa.Table) -> CorpusArrays:
    vectors = table["features"].combine_chunks()
    return CorpusArrays(
        features=struct_to_matrix(vectors),
        feature_names=tuple(feature.name for feature in vectors.type),
        qid=_array(table, "qid"),
        fold=_array(table, "fold"),
        in_train=_array(table, "split") == "train",
        grades={truth: _nullable(table, column) for truth, column in GRADE_COLUMNS.items()},
        weight=_array(table, "weight"),
        position=_array(table, "mean_position"),
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
        n_telling_queries=_count_telling(qid[graded], grade[graded]),
        highest_grade=int(max(np.nanmax(of[train], initial=0.0) for of in (grade, reference))),
        lowest_grade=int(min(np.nanmin(of[train], initial=0.0) for of in (grade, reference))),
    )


def _count_telling(qid: NDArray[np.int32], grade: NDArray[np.float32]) -> int:
    """Count the queries with more than one grade; rows may stand in any order."""
    order = np.argsort(qid, kind="stable")
    starts = np.flatnonzero(np.diff(qid[order], prepend=-1))
    if not len(starts):
        return 0
    sorted_grades = grade[order]
    return int((np.maximum.reduceat(sorted_grades, starts) > np.minimum.reduceat(sorted_grades, starts)).sum())


def rows_digest(path: str | Path) -> str:
    """Return the SHA-256 of a local Parquet file's pages and schema, in hex: equal rows written alike have the same.

    The footer has no part in it: parquet-java lists a column's encodings there in an order that changes from one
    process to the next.

    Raises:
        OSError: The file cannot be read.
        pyarrow.ArrowInvalid: It is no Parquet.
    """
    import pyarrow.parquet as pq

    footer = pq.read_metadata(path)
    found = hashlib.sha256(str(footer.schema.to_arrow_schema().remove_metadata()).encode())
    left = Path(path).stat().st_size - footer.serialized_size - _AFTER_FOOTER
    with Path(path).open("rb") as file:
        while left > 0 and (block := file.read(min(left, _BLOCK))):
            found.update(block)
            left -= len(block)
    return found.hexdigest()


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
    chosen = _chosen_places(paths, n)
    taken = _take(paths, ["qid", "doc_id", "query", "features"], chosen)
    return SampleVectors(
        struct_to_matrix(taken["features"].combine_chunks()),
        _array(taken, "qid"),
        tuple(taken["query"].to_pylist()),
        tuple(taken["doc_id"].to_pylist()),
    )


def _chosen_places(paths: Sequence[str], n: int) -> NDArray[np.int64]:
    """Return the places of the first n rows in the order of their cluster's hash; n rows are kept while reading."""
    import pandas as pd

    order = ["place", "query_cluster_id", "qid", "doc_id"]
    kept, first = pd.DataFrame(), 0
    for batch in _stream(paths, order[1:]):
        keys = batch.to_pandas()
        keys.insert(0, "place", pd.util.hash_pandas_object(keys["query_cluster_id"], index=False))
        keys.index = pd.RangeIndex(first, first + len(keys))
        first += len(keys)
        kept = (pd.concat([kept, keys]) if len(kept) else keys).sort_values(order).iloc[:n]
    places: NDArray[np.int64] = kept.index.to_numpy(np.int64)
    return places


def _take(paths: Sequence[str], columns: list[str], places: NDArray[np.int64]) -> pa.Table:
    """Return the rows at some places, in the places' order, without reading all rows at once."""
    import pyarrow as pa

    found, first = [], 0
    for batch in _stream(paths, columns):
        mine = np.sort(places[(places >= first) & (places < first + batch.num_rows)])
        found.append(batch.take(pa.array(mine - first)))
        first += batch.num_rows
    return pa.concat_tables(found).take(pa.array(np.argsort(np.argsort(places))))


def _stream(paths: Sequence[str], columns: list[str]) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_STREAMED_ROWS, columns=columns):
                yield pa.Table.from_batches([batch])


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
