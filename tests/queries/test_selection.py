from __future__ import annotations

import numpy as np
import pytest
from pyspark.sql import functions as F

from rankhammer.queries.selection import CLUSTER, FORM, keep_frequent, sample_clusters


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


@pytest.fixture(scope="module")
def log(spark):
    return pages_of(spark, 3000).cache()


def test_a_sample_is_within_two_percent_of_what_was_asked_and_of_whole_clusters(log):
    wanted = round(0.3 * n_pairs(log))
    sample = sample_clusters(log, n_pairs=wanted, random_state=1).cache()
    assert abs(n_pairs(sample) / wanted - 1) < 0.02
    assert sample.count() == log.where(F.col("query_cluster_id").isin(clusters(sample))).count()


def test_frequent_and_rare_clusters_keep_their_share(log):
    sessions = log.groupBy("query_cluster_id").count().withColumn("is_rare", F.col("count") == 1)
    kept = clusters(sample_clusters(log, n_pairs=round(0.3 * n_pairs(log)), random_state=1))
    share = {
        row["is_rare"]: row["share"]
        for row in sessions.withColumn("kept", F.col("query_cluster_id").isin(kept).cast("int"))
        .groupBy("is_rare")
        .agg(F.avg("kept").alias("share"))
        .collect()
    }
    assert share == {True: pytest.approx(0.3, abs=0.03), False: pytest.approx(0.3, abs=0.03)}


def test_a_sample_depends_on_its_seed_alone(log):
    wanted = round(0.1 * n_pairs(log))
    first = clusters(sample_clusters(log, n_pairs=wanted, random_state=1))
    assert clusters(sample_clusters(log.orderBy("query").repartition(5), n_pairs=wanted, random_state=1)) == first
    assert clusters(sample_clusters(log, n_pairs=wanted, random_state=2)) != first


def test_each_corpus_is_sampled_by_itself_and_a_smaller_one_comes_whole(spark):
    small, large = pages_of(spark, 20, "small"), pages_of(spark, 900, "large", seed=3)
    wanted = n_pairs(small) + 1
    sample = sample_clusters(small.union(large), n_pairs=wanted, random_state=1)
    assert sample.where("corpus = 'small'").count() == small.count()
    assert abs(n_pairs(sample.where("corpus = 'large'")) - wanted) < 20


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
