"""What reports read of one corpus's training matrix beside its arrays: clusters, and some held-out rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray


def read_clusters(paths: Sequence[str]) -> NDArray[np.int64]:
    """Read which cluster each query is of.

    Args:
        paths: Local Parquet files of one corpus.

    Returns:
        By qid a number from 0 on, in the order of the clusters' ids: equal numbers, one cluster. Shape (n_queries,).
    """
    keys = _read(paths, ["qid", "query_cluster_id"])
    qid, first = np.unique(_array(keys, "qid"), return_index=True)
    _, numbers = np.unique(_array(keys, "query_cluster_id")[first].astype(str), return_inverse=True)
    clusters = np.zeros(int(qid.max(initial=-1)) + 1, dtype=np.int64)
    clusters[qid] = numbers
    return clusters


@dataclass(frozen=True)
class HeldOutRows:
    """Some rows of the test split, whole clusters, sorted by (qid, doc_id).

    Args:
        features: float32, shape (n, n_features).
        qid: Shape (n,).
        cluster: Number of each row's cluster. Shape (n,).
    """

    features: NDArray[np.float32]
    qid: NDArray[np.int32]
    cluster: NDArray[np.int64]


def read_test_rows(paths: Sequence[str], n: int, names: Sequence[str]) -> HeldOutRows:
    """Read clusters of the test split, in the order of a hash of their ids, until there are enough rows.

    Args:
        paths: Local Parquet files of one corpus.
        n: Largest number of rows; the first cluster is read in any case.
        names: Features to read, in this order.
    """
    import pandas as pd
    import pyarrow.compute as pc

    keys = _read(paths, ["split", "qid", "doc_id", "query_cluster_id"]).to_pandas()
    keys = keys[keys["split"] == "test"].sort_values(["qid", "doc_id"])
    place = pd.util.hash_pandas_object(keys["query_cluster_id"], index=False)
    sizes = place.groupby(place).size()
    last = sizes.cumsum()
    kept = keys[place.isin(last[(last <= n) | (last == sizes.iloc[:1].sum())].index)]
    vectors = _read(paths, ["features"]).take(kept.index.to_numpy())["features"].combine_chunks()
    columns = [pc.struct_field(vectors, name).to_numpy(zero_copy_only=False) for name in names]
    features = np.column_stack(columns).astype(np.float32) if len(kept) else np.empty((0, len(names)), np.float32)
    return HeldOutRows(features, kept["qid"].to_numpy(), np.unique(kept["query_cluster_id"], return_inverse=True)[1])


def _read(paths: Sequence[str], columns: list[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # partitioning=None: the folder names of a local copy mean nothing.
    return pa.concat_tables([pq.read_table(path, columns=columns, partitioning=None) for path in paths])


def _array(table: pa.Table, column: str) -> NDArray[Any]:
    values: NDArray[Any] = table[column].to_numpy()
    return values
