"""Begin a fit where an earlier one ended: its parameters travel beside the counted log, one list per cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from rankhammer.click_models.counts.columnar import from_arrow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from pyspark.sql import DataFrame

    from rankhammer.click_models.types import Floats, Ints


_DOCS, _PREFIX = "start_docs", "start/"


def add_start(counted: DataFrame, start: DataFrame, names: Sequence[str]) -> DataFrame:
    """Bring every counted cluster the parameters that an earlier fit found for its documents.

    Args:
        counted: What `count_serps` returned.
        start: corpus, query_cluster_id, doc_id, and parameters; one row a (corpus, query_cluster_id, doc_id).
        names: The parameters to begin at; those that `start` does not have are left out.

    Returns:
        `counted` with columns that `read_start` understands.
    """
    from pyspark.sql import functions as F

    known = [name for name in names if name in start.columns]
    entry = F.struct("doc_id", *(F.col(name).cast("double").alias(name) for name in known))
    by_cluster = start.groupBy("corpus", "query_cluster_id").agg(F.collect_list(entry).alias("_start"))
    columns = [F.col("_start.doc_id").alias(_DOCS), *(F.col(f"_start.{name}").alias(_PREFIX + name) for name in known)]
    lists = by_cluster.select("corpus", "query_cluster_id", *columns)
    return counted.join(lists, ["corpus", "query_cluster_id"], "left")


def read_start(rows: pa.Table, pair_cluster: Ints, doc_ids: pa.Array) -> dict[str, Floats]:
    """Look up where each pair begins.

    Args:
        rows: Counted rows of one corpus, one per cluster.
        pair_cluster: Row of each pair, ascending.
        doc_ids: Document id of each pair.

    Returns:
        One array of shape (n_pairs,) a parameter, NaN where it is not known; nothing without an earlier fit.
    """
    if _DOCS not in rows.column_names:
        return {}
    encoded = doc_ids.dictionary_encode()
    texts = encoded.dictionary
    keys = pair_cluster * len(texts) + from_arrow(encoded.indices)
    order = np.argsort(keys)
    docs = rows[_DOCS].combine_chunks()
    owner = np.repeat(np.arange(len(rows)), from_arrow(pc.fill_null(pc.list_value_length(docs), 0)))
    place = from_arrow(pc.fill_null(pc.index_in(docs.flatten(), value_set=texts.cast(docs.type.value_type)), -1))
    wanted = owner * len(texts) + place
    found = order[np.minimum(np.searchsorted(keys, wanted, sorter=order), len(keys) - 1)]
    known = (place >= 0) & (keys[found] == wanted)
    start = {}
    for name in rows.column_names:
        if name.startswith(_PREFIX):
            values = np.full(len(keys), np.nan)
            flat = pc.fill_null(rows[name].combine_chunks().flatten(), np.nan)
            values[found[known]] = from_arrow(flat)[known]
            start[name.removeprefix(_PREFIX)] = values
    return start
