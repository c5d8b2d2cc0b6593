"""Query columns of a table: the normalised query, and the id of its cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F
from pyspark.sql.pandas.functions import arrow_udf

from rankhammer.digests import hex_digest
from rankhammer.queries.normalize import normalize_queries
from rankhammer.queries.result_clusters import ID_LENGTH
from rankhammer.queries.rules import QueryRules

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyspark.sql import Column, DataFrame

    from rankhammer.queries.rules import QueryForm


def query_cluster_id(normalized_query: str) -> str:
    """Return the id of the group of queries that share a normalised form: the head of its SHA-256.

    Args:
        normalized_query: What `normalize_query` returned.
    """
    return hex_digest(normalized_query, ID_LENGTH)


def add_query_columns(table: DataFrame, *, language: object = "english") -> DataFrame:
    """Add `normalized_query` and `query_cluster_id` to any table with a `query`.

    Args:
        table: Has a string column `query`; a null query gives null columns. Has `corpus`, too, where corpora have
            languages of their own.
        language: What `QueryRules.parse` reads: one of `languages()`, or languages by corpus.

    Returns:
        The same rows; columns of these names are replaced.

    Raises:
        ConfigError: A language has no analyzer.
    """
    spoken = QueryRules.parse(language)
    return table.withColumn("normalized_query", _normal_form(spoken)).withColumn(
        "query_cluster_id", F.substring(F.sha2("normalized_query", 256), 1, ID_LENGTH)
    )


def _normal_form(spoken: QueryRules) -> Column:
    """Return the normal form of `query`: an Arrow function a language, each for the rows of its corpora."""
    by_language: dict[str, list[str]] = {}
    for corpus, language in sorted(spoken.corpora.items()):
        by_language.setdefault(language, []).append(corpus)
    found = _normalizer(spoken.default, spoken.form)("query")
    for language, corpora in by_language.items():
        # A query of another corpus is null here, which costs nothing.
        theirs = F.col("corpus").isin(corpora)
        own = _normalizer(language, spoken.form)(F.when(theirs, F.col("query")))
        found = F.when(theirs, own).otherwise(found)
    return found


def _normalizer(language: str, form: QueryForm) -> Callable[[str | Column], Column]:
    """Make an Arrow function that normalises each distinct query of a batch once."""

    def _normalize(queries: pa.Array) -> pa.Array:
        encoded = queries.dictionary_encode()
        forms = pa.array(normalize_queries(encoded.dictionary.to_pylist(), language, form), pa.string())
        return forms.take(encoded.indices)

    # The stubs ask for a function type, whose use Spark warns of: the annotations above say it.
    normalizer = arrow_udf(_normalize, "string")  # type: ignore[call-overload]
    # It is deterministic; but told so, Spark runs it again for each filter that it derives from a join.
    return normalizer.asNondeterministic()  # type: ignore[no-any-return]
