"""Query columns of a table: the normalised query, and the id of its cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from rankhammer.digests import hex_digest
from rankhammer.queries.normalize import normalize_query, require_language

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import Column, DataFrame

_ID_LENGTH = 16
"""Hexadecimal digits: 64 bits, so that ten million queries share an id with a chance of 3 in a million."""


def query_cluster_id(normalized_query: str) -> str:
    """Return the id of the group of queries that share a normalised form: the head of its SHA-256.

    Args:
        normalized_query: What `normalize_query` returned.
    """
    return hex_digest(normalized_query, _ID_LENGTH)


def add_query_columns(table: DataFrame, *, language: str = "english") -> DataFrame:
    """Add `normalized_query` and `query_cluster_id` to any table with a `query`.

    Args:
        table: Has a string column `query`; a null query gives null columns.
        language: One of `languages()`.

    Returns:
        The same rows; columns of these names are replaced.

    Raises:
        ConfigError: The language has no stemmer.
    """
    require_language(language)
    return table.withColumn("normalized_query", _normalizer(language)("query")).withColumn(
        "query_cluster_id", F.substring(F.sha2("normalized_query", 256), 1, _ID_LENGTH)
    )


def _normalizer(language: str) -> Callable[[str], Column]:
    """Make an Arrow function that normalises each distinct query of a batch once."""

    def _normalize(queries: pa.Array) -> pa.Array:
        encoded = queries.dictionary_encode()
        known = encoded.dictionary.to_pylist()
        forms = pa.array([normalize_query(query, language) for query in known], pa.string())
        return forms.take(encoded.indices)

    # The stubs ask for a function type, whose use Spark warns of: the annotations above say it.
    normalizer = arrow_udf(_normalize, "string")  # type: ignore[call-overload]
    # It is deterministic; but told so, Spark runs it again for each filter that it derives from a join.
    return normalizer.asNondeterministic()  # type: ignore[no-any-return]
