"""A small training matrix as it lies on disk: Parquet partitioned by corpus, made without Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark import SparkFiles

from rankhammer import schemas

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

N_DOCS = 8
TYPES = {"string": pa.string(), "int": pa.int32(), "double": pa.float64()}
FEATURES = pa.struct([("signal", pa.float32()), ("noise", pa.float32())])
SCHEMA = pa.schema([(name, TYPES.get(kind, FEATURES)) for name, kind in schemas.TRAINING_MATRIX.columns.items()])


def _matrix_rows(corpus: str, *, n_queries: int = 40, seed: int = 0, max_grade: int = 2) -> list[dict]:
    """Eight documents a query; the grade follows `signal` and chance. Every fourth query is test, the others folds."""
    rng = np.random.default_rng(seed)
    signal, noise = rng.random((2, n_queries, N_DOCS)).astype(np.float32)
    grades = np.digitize(signal + rng.normal(0, 0.2, signal.shape), [0.5, 0.8]).clip(max=max_grade)
    return [
        {
            "corpus": corpus,
            "qid": query,
            "query": f"query {query}",
            "query_cluster_id": f"cluster {query}",
            "doc_id": f"d{doc}",
            "split": "test" if query % 4 == 0 else "train",
            "fold": query % 4 - 1,
            "grade": int(grades[query, doc]) if doc else None,
            "weight": 1.0 + doc,
            "reference_grade": None,
            "mean_position": 1.0 + doc,
            "features": {"signal": float(signal[query, doc]), "noise": float(noise[query, doc])},
        }
        for query in range(n_queries)
        for doc in range(N_DOCS)
    ]


def _write_corpus(path: Path, rows: list[dict]) -> str:
    """Write one corpus's file without its corpus column, as Spark does."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA).drop_columns("corpus"), path)
    return str(path)


@pytest.fixture(scope="session")
def matrix_rows() -> Callable:
    return _matrix_rows


@pytest.fixture(scope="session")
def write_corpus() -> Callable:
    return _write_corpus


@pytest.fixture
def stored_matrix(spark, tmp_path) -> Callable:
    """Return a function that stores corpora under one part name, as one Spark task would, and reads them back."""

    def store(corpora: dict[str, list[dict]], *, folder: str = "matrix"):
        for corpus, rows in corpora.items():
            _write_corpus(tmp_path / folder / f"corpus={corpus}" / "part-00000-same.c000.parquet", rows)
        return spark.read.parquet(str(tmp_path / folder)).select(*schemas.TRAINING_MATRIX.columns)

    return store


@pytest.fixture(scope="session")
def write_matrix() -> Callable:
    """Return a function that writes the files of two corpora into a folder."""

    def write(folder: Path) -> Path:
        for corpus, seed in (("a", 0), ("b", 1)):
            _write_corpus(folder / f"{corpus}.parquet", _matrix_rows(corpus, seed=seed))
        return folder

    return write


@pytest.fixture
def matrix(tmp_path, monkeypatch, write_matrix) -> Path:
    """A folder with the files of two corpora, for `local_search`, which replaces Spark's look-up of files."""
    monkeypatch.setattr(SparkFiles, "get", SparkFiles.get)
    return write_matrix(tmp_path / "matrix")
