"""A training matrix of one corpus as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path


def write_matrix(path: Path, n_queries: int = 60, n_folds: int = 4) -> Path:
    """Write ten documents of each query; the first of two features tells the relevant ones."""
    n_rows = 10 * n_queries
    features = np.random.default_rng(3).random((n_rows, 2), np.float32)
    qid = np.repeat(np.arange(n_queries, dtype=np.int32), 10)
    columns = {
        "qid": qid,
        "doc_id": [f"d{place:04}" for place in range(n_rows)],
        "split": ["train"] * n_rows,
        "fold": qid % n_folds,
        "grade": np.digitize(features[:, 0], [0.5, 0.8]).astype(np.float64),
        "reference_grade": pa.nulls(n_rows, pa.int32()),
        "weight": np.ones(n_rows),
        "mean_position": np.ones(n_rows),
        "features": pa.StructArray.from_arrays([features[:, 0], features[:, 1]], ["match", "noise"]),
    }
    pq.write_table(pa.table(columns), path)
    return path
