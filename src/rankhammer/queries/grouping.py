"""Every step from a query as typed to the clusters that are learned from."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from rankhammer.queries.clusters import add_query_columns
from rankhammer.queries.result_clusters import count_cut_forms, find_clusters, split_by_results
from rankhammer.queries.rules import QueryRules
from rankhammer.queries.selection import CLUSTER, FORM, keep_frequent, sample_clusters

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from rankhammer.corpus_limits import PerCorpus


_logger = logging.getLogger(__name__)


def assign_clusters(table: DataFrame, *, language: object, known: DataFrame | None = None) -> DataFrame:
    """Give queries from elsewhere the clusters that they have in the log.

    Args:
        table: Has corpus and query.
        language: What `QueryRules.parse` reads.
        known: Has corpus, query and query_cluster_id, as every table of the line; read where clusters go by results,
            which are known from the log alone.

    Returns:
        The same rows with `normalized_query` and `query_cluster_id`; see `find_clusters`.

    Raises:
        ConfigError: A language has no analyzer.
    """
    rules = QueryRules.parse(language)
    found = add_query_columns(table, language=rules)
    if rules.clusters != "results" or known is None:
        return found
    typed = known.select("corpus", "query", F.col("query_cluster_id").alias("_cluster")).distinct()
    forms = add_query_columns(typed, language=rules).withColumn("query_cluster_id", F.col("_cluster"))
    return find_clusters(found, forms.drop("_cluster"))


@dataclass(frozen=True)
class Selection:
    """Which queries are kept.

    Args:
        min_sessions: Fewest distinct sessions of a normal form, and of each of its clusters.
        sample_pairs: Distinct (query, document) pairs wanted of each corpus; None for all.
        random_state: Seed of the sample.
    """

    min_sessions: int | PerCorpus = 1
    sample_pairs: int | PerCorpus | None = None
    random_state: int = 0


def group_queries(
    serps: DataFrame, *, language: object, selection: Selection, lists: DataFrame | None = None
) -> tuple[DataFrame, dict[str, dict[str, Any]]]:
    """Bring the queries of result pages together, and leave out those that are not to be learned from.

    Args:
        serps: `schemas.SERPS` without its query columns.
        language: What `QueryRules.parse` reads.
        selection: Which queries are kept.
        lists: `schemas.RESULT_LISTS`: what an engine shows for queries; read where clusters go by results. None: what
            the log shows counts alone.

    Returns:
        The pages that are kept, with query columns; and corpus to what has to be said of its clusters: see
        `count_cut_forms`.

    Raises:
        ConfigError: A language has no analyzer.
    """
    rules = QueryRules.parse(language)
    found = add_query_columns(serps, language=rules)
    found = keep_frequent(found, FORM, min_sessions=selection.min_sessions)
    notes: dict[str, dict[str, Any]] = {}
    if rules.clusters == "results":
        notes = {corpus: {"uncompared": cut} for corpus, cut in count_cut_forms(found).items()}
        found = keep_frequent(split_by_results(found, lists=lists), CLUSTER, min_sessions=selection.min_sessions)
    elif lists is not None:
        _logger.warning("result_lists are not read: clusters go by the form alone. Set language.clusters: results.")
    if selection.sample_pairs is not None:
        found = sample_clusters(found, n_pairs=selection.sample_pairs, random_state=selection.random_state)
    return found, notes
