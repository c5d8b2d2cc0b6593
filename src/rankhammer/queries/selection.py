"""Which queries are worth learning from: those that enough people searched for, and a sample of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pyspark.sql import Window
from pyspark.sql import functions as F

from rankhammer.corpus_limits import limit_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

    from rankhammer.corpus_limits import PerCorpus

N_STRATA: Final = 100
"""Clusters are sampled in so many groups of like popularity."""
FORM: Final = ("corpus", "normalized_query")
CLUSTER: Final = ("corpus", "query_cluster_id")
_STRATUM: Final = ("corpus", "stratum")
_NEAR: Final = 50
"""Clusters by which a stratum's cut may move to make up for what others have too much or too little."""


def keep_frequent(serps: DataFrame, keys: Sequence[str], *, min_sessions: int | PerCorpus) -> DataFrame:
    """Keep the pages whose group has enough sessions; a page without a session counts as one of its own.

    Args:
        serps: Has `keys`, session_id and serp_id.
        keys: FORM or CLUSTER.
        min_sessions: Fewest distinct sessions; 1 keeps all.

    Returns:
        Rows of `serps`.
    """
    if min_sessions == 1:
        return serps
    counted = serps.groupBy(*keys).agg(F.count_distinct(_session()).alias("n_sessions"))
    return serps.join(counted.where(F.col("n_sessions") >= limit_of(min_sessions)).select(*keys), [*keys], "left_semi")


def sample_clusters(serps: DataFrame, *, n_pairs: int | PerCorpus, random_state: int) -> DataFrame:
    """Keep so many whole clusters of each corpus that they have about `n_pairs` pairs of query and document.

    Clusters are put in N_STRATA groups by their number of sessions, so that frequent and rare ones keep their share,
    and taken in the order of a hash. A corpus that has no more pairs is kept whole.

    Args:
        serps: Has corpus, query_cluster_id, query, doc_ids, session_id and serp_id.
        n_pairs: Distinct (query, document) pairs wanted of each corpus; one without a number is kept whole. What is
            kept misses it by about half of the pairs of one small cluster.
        random_state: Seed of the hash.

    Returns:
        Rows of `serps`.
    """
    clusters = _with_strata(_described(serps))
    place = F.xxhash64(F.lit(random_state).cast("bigint"), *CLUSTER)
    in_turn = Window.partitionBy(*_STRATUM).orderBy(place, "query_cluster_id")
    with_it = F.sum("n_pairs").over(in_turn.rowsBetween(Window.unboundedPreceding, 0))
    placed = clusters.withColumns({"rank": F.row_number().over(in_turn), "pairs_with_it": with_it})
    rows = [(*stratum, n_kept) for stratum, n_kept in sorted(_cuts(placed, n_pairs).items())]
    cuts = serps.sparkSession.createDataFrame(rows, "corpus string, stratum int, n_kept bigint")
    kept = placed.join(F.broadcast(cuts), [*_STRATUM]).where(F.col("rank") <= F.col("n_kept"))
    return serps.join(kept.select(*CLUSTER), [*CLUSTER], "left_semi")


def _described(serps: DataFrame) -> DataFrame:
    """Return corpus, query_cluster_id, n_sessions and n_pairs of each cluster."""
    sessions = serps.groupBy(*CLUSTER).agg(F.count_distinct(_session()).alias("n_sessions"))
    shown = serps.select(*CLUSTER, "query", F.explode("doc_ids").alias("doc_id")).distinct()
    pairs = shown.groupBy(*CLUSTER).agg(F.count("*").alias("n_pairs"))
    return sessions.join(pairs, [*CLUSTER])


def _with_strata(clusters: DataFrame) -> DataFrame:
    """Add the stratum, the quantile of the middle of the clusters with as many sessions, and the pairs `in_corpus`."""
    counted = clusters.groupBy("corpus", "n_sessions").agg(F.count("*").alias("n"), F.sum("n_pairs").alias("pairs"))
    corpus = Window.partitionBy("corpus")
    ascending = corpus.orderBy("n_sessions").rowsBetween(Window.unboundedPreceding, 0)
    middle = (F.sum("n").over(ascending) - F.col("n") / 2) / F.sum("n").over(corpus)
    described = counted.withColumns(
        {"stratum": F.floor(middle * N_STRATA).cast("int"), "in_corpus": F.sum("pairs").over(corpus)}
    )
    return clusters.join(described.drop("n", "pairs"), ["corpus", "n_sessions"])


def _cuts(placed: DataFrame, n_pairs: int | PerCorpus) -> dict[tuple[str, int], int]:
    """Return how many clusters of each (corpus, stratum) are kept: the first ones in the order of the hash."""
    stratum = Window.partitionBy(*_STRATUM)
    # The least of 1 and null is 1: all of a corpus that is not sampled.
    share = F.least(F.lit(1.0), limit_of(n_pairs) / F.col("in_corpus"))
    known = placed.withColumn("target", share * F.sum("n_pairs").over(stratum))
    n_below = F.count_if(F.col("pairs_with_it") <= F.col("target")).over(stratum)
    near = known.withColumn("from_cut", F.col("rank") - n_below).where(F.abs("from_cut") <= _NEAR)
    found = near.groupBy(*_STRATUM).agg(
        F.first("target").alias("target"), F.sort_array(F.collect_list(F.struct("rank", "pairs_with_it"))).alias("cuts")
    )
    # An action: at most N_STRATA rows per corpus, of 2 _NEAR + 1 places each.
    strata: dict[str, list[tuple[int, float, list[tuple[int, int]]]]] = {}
    for row in found.collect():
        cuts = [(cut["rank"], cut["pairs_with_it"]) for cut in row["cuts"]]
        strata.setdefault(row["corpus"], []).append((row["stratum"], row["target"], cuts))
    chosen = {corpus: choose_cuts(of_corpus) for corpus, of_corpus in strata.items()}
    return {(corpus, stratum): n for corpus, cuts in chosen.items() for stratum, n in cuts.items()}


def choose_cuts(strata: Sequence[tuple[int, float, Sequence[tuple[int, int]]]]) -> dict[int, int]:
    """Choose how many clusters of each stratum are kept, so that all together come closest to what is wanted.

    Args:
        strata: Number, wanted pairs, and where it may be cut: (clusters kept, their pairs), ascending. Where the first
            cluster is among them, none may be kept, too.

    Returns:
        Stratum to clusters kept.
    """
    kept: dict[int, int] = {}
    missing = 0.0
    # The most popular first: what a large cluster adds or leaves over is made up for by smaller ones.
    for stratum, target, cuts in sorted(strata, key=lambda one: -one[0]):
        wanted = target + missing
        possible = [(0, 0), *cuts] if cuts[0][0] == 1 else cuts
        kept[stratum], n_pairs = min(possible, key=lambda cut: (abs(cut[1] - wanted), cut[0]))
        missing = wanted - n_pairs
    return kept


def _session() -> Column:
    return F.coalesce(F.col("session_id"), F.col("serp_id"))
