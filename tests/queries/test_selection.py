from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import functions as F

from rankhammer.queries.selection import CLUSTER, FORM, choose_cuts, keep_frequent, sample_clusters


def pages_of(spark, n_clusters: int, corpus: str = "shop", seed: int = 1):
    """A log whose clusters have a heavy tail of sessions, and some documents each; a session sees one page."""
    rng = np.random.default_rng(seed)
    n_sessions = np.minimum(rng.zipf(1.6, n_clusters), 300)
    cluster = np.repeat(np.arange(n_clusters), n_sessions)
    n_docs = rng.integers(1, 20, n_clusters)
    rows = [
        (
            corpus,
            f"{corpus}{number}",
            f"q{number}",
            [f"{corpus}{number}-{doc}" for doc in range(n_docs[number])],
            f"s{n}",
        )
        for n, number in enumerate(cluster.tolist())
    ]
    columns = "corpus string, query_cluster_id string, query string, doc_ids array<string>, session_id string"
    return spark.createDataFrame(rows, columns).withColumn("serp_id", F.col("session_id"))


def n_pairs(serps) -> int:
    return serps.select("query", F.explode("doc_ids")).distinct().count()


def clusters(serps) -> set[str]:
    return {row[0] for row in serps.select("query_cluster_id").distinct().collect()}


WANTED = 6000
"""Pairs of each corpus; `small` has fewer."""


@pytest.fixture(scope="module")
def log(spark):
    return pages_of(spark, 2000, "large").union(pages_of(spark, 20, "small", seed=2)).cache()


@pytest.fixture(scope="module")
def sample(log):
    return sample_clusters(log, n_pairs=WANTED, random_state=1).cache()


def test_a_sample_is_within_two_percent_of_what_was_asked_and_of_whole_clusters(log, sample):
    large = sample.where("corpus = 'large'")
    assert abs(n_pairs(large) / WANTED - 1) < 0.02
    assert large.count() == log.where(F.col("query_cluster_id").isin(clusters(large))).count()


def test_a_corpus_with_fewer_pairs_comes_whole(log, sample):
    small = "corpus = 'small'"
    assert 0 < n_pairs(log.where(small)) < WANTED
    assert sample.where(small).count() == log.where(small).count()


def test_frequent_and_rare_clusters_keep_their_share(log, sample):
    large = log.where("corpus = 'large'")
    kept, share = clusters(sample), WANTED / n_pairs(large)
    sessions = large.groupBy("query_cluster_id").count().collect()
    for is_rare in (True, False):
        chosen = [row.query_cluster_id in kept for row in sessions if (row["count"] == 1) == is_rare]
        assert sum(chosen) / len(chosen) == pytest.approx(share, abs=0.04)


def test_a_sample_depends_on_its_seed_alone(log, sample):
    shuffled = log.orderBy("query").repartition(5)
    assert clusters(sample_clusters(shuffled, n_pairs=WANTED, random_state=1)) == clusters(sample)
    assert clusters(sample_clusters(log, n_pairs=WANTED, random_state=2)) != clusters(sample)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_what_a_stratum_has_too_much_or_too_little_others_make_up_for(share):
    rng = np.random.default_rng(3)
    strata = []
    for stratum in range(100):
        # Clusters of popular strata have many pairs; some strata have one cluster alone.
        n_pairs = rng.integers(1, 20 + 10 * stratum, rng.choice([1, 2, 30]))
        pairs_with_it = np.cumsum(n_pairs).tolist()
        strata.append((stratum, share * pairs_with_it[-1], [*enumerate(pairs_with_it, start=1)]))
    kept = choose_cuts(strata)
    wanted = sum(target for _, target, _ in strata)
    found = sum(dict([(0, 0), *cuts])[kept[stratum]] for stratum, _, cuts in strata)
    assert found == pytest.approx(wanted, abs=10)


def test_a_group_needs_enough_distinct_sessions(spark):
    rows = [
        ("m", "a", "x", "s1", "1"), ("m", "a", "x", "s1", "2"), ("m", "a", "y", "s2", "3"),
        ("m", "b", "z", "s1", "4"), ("n", "b", "z", None, "5"), ("n", "b", "z", None, "6"),
    ]  # fmt: skip
    columns = "corpus string, normalized_query string, query_cluster_id string, session_id string, serp_id string"
    serps = spark.createDataFrame(rows, columns)
    of_forms = {row.serp_id for row in keep_frequent(serps, FORM, min_sessions=2).collect()}
    # Pages without a session are sessions of their own.
    assert of_forms == {"1", "2", "3", "5", "6"}
    of_clusters = {row.serp_id for row in keep_frequent(serps, CLUSTER, min_sessions=2).collect()}
    assert of_clusters == {"5", "6"}
    assert keep_frequent(serps, FORM, min_sessions=1) is serps
