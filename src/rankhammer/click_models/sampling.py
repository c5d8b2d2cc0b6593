"""Whole clusters of each corpus, few enough for one task, and what such tasks compute from them."""

from __future__ import annotations

import json
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.click_models.counts.columnar import texts_to_arrow, to_arrow
from rankhammer.click_models.counts.pattern_reader import read_counted
from rankhammer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.click_models.counts.pattern_reader import CountedCorpus

    Compute = Callable[[CountedCorpus], dict[str, Any]]
    Size = Mapping[str, Any]

MIN_SAMPLE_CLUSTERS = 200
"""Clusters in a sample at least: a pooled mean over fewer says little of the corpus."""

MAX_TASKS = 1000
_HASH_BUCKETS = 1_000_000
_TASK = "task"


def corpus_sizes(counted: DataFrame) -> list[dict[str, Any]]:
    """Return corpus, n_serps, n_clicks and n_clusters of every corpus, sorted by name.

    Raises:
        DataError: There is no page at all.
    """
    from pyspark.sql import functions as F

    sizes = counted.groupBy("corpus").agg(
        F.sum("n_serps").alias("n_serps"),
        F.sum("n_clicks").alias("n_clicks"),
        F.count("*").alias("n_clusters"),
    )
    # An action: the size of a sample depends on the size of its corpus. One row per corpus comes back.
    found = sorted((row.asDict() for row in sizes.collect()), key=itemgetter("corpus"))
    if not found:
        raise DataError(
            "The click log holds no result page to label.",
            hint="Look at the ingestion report: it counts the rows that were set aside, by reason.",
        )
    return found


def sample_clusters(counted: DataFrame, sizes: Sequence[Size], n_serps: int) -> DataFrame:
    """Keep whole clusters, about `n_serps` pages of each corpus, by a hash of (corpus, cluster).

    Args:
        counted: `schemas.COUNTED_SERPS`.
        sizes: What `corpus_sizes` returned; corpora that are not among them are dropped.
        n_serps: Pages wanted of each corpus.
    """
    from pyspark.sql import functions as F

    if not sizes:
        return counted.limit(0)
    share = {
        row["corpus"]: min(1.0, max(n_serps / row["n_serps"], MIN_SAMPLE_CLUSTERS / max(row["n_clusters"], 1)))
        for row in sizes
    }
    buckets = F.create_map(*[F.lit(item) for pair in share.items() for item in (pair[0], pair[1] * _HASH_BUCKETS)])
    bucket = F.pmod(F.xxhash64("corpus", "query_cluster_id"), F.lit(_HASH_BUCKETS))
    return counted.where(bucket < F.coalesce(F.try_element_at(buckets, F.col("corpus")), F.lit(0.0)))


def for_each_corpus(
    counted: DataFrame, sizes: Sequence[Size], computes: Mapping[str, Compute]
) -> dict[str, dict[str, dict[str, Any]]]:
    """Compute several things of every corpus, each in a task of its own, side by side.

    Args:
        counted: `schemas.COUNTED_SERPS`, few enough rows per corpus for one task.
        sizes: What `corpus_sizes` returned for the corpora in it.
        computes: Name to a function of a corpus' counted log that returns facts that JSON can hold; runs on the
            workers.

    Returns:
        Corpus to name to facts, in the order of `sizes` and `computes`.
    """
    from pyspark.sql import functions as F

    if not sizes:
        return {}
    functions = list(computes.values())
    begin = {row["corpus"]: place * len(functions) for place, row in enumerate(sizes)}

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held = [batch for batch in batches if batch.num_rows]
        if held:
            yield from _run_tasks(pa.Table.from_batches(held), functions)

    # Tasks are dealt out by number: by a hash some would share a core while another has none.
    first = F.try_element_at(F.create_map(*[F.lit(x) for item in begin.items() for x in item]), F.col("corpus"))
    tasks = F.sequence(first, first + F.lit(len(functions) - 1))
    dealt = counted.withColumn(_TASK, F.explode(tasks)).repartitionById(_n_tasks(sizes, functions), _TASK)
    # An action: the facts steer the next job. A few kilobytes per task come back.
    found = {
        row[_TASK]: json.loads(row["facts"]) for row in dealt.mapInArrow(run, f"{_TASK} int, facts string").collect()
    }
    return {
        corpus: {name: found[number + place] for place, name in enumerate(computes)}
        for corpus, number in begin.items()
        if number in found
    }


def _n_tasks(sizes: Sequence[Size], functions: Sequence[Compute]) -> int:
    return min(len(sizes) * len(functions), MAX_TASKS)


def _run_tasks(rows: pa.Table, functions: Sequence[Compute]) -> Iterator[pa.RecordBatch]:
    """Compute one row of facts for each task that has rows here."""
    for number in pc.unique(rows[_TASK]).to_pylist():
        [found] = read_counted(rows.filter(pc.equal(rows[_TASK], number)))
        facts = json.dumps(functions[number % len(functions)](found))
        numbers = to_arrow(np.array([number], np.int32))
        yield pa.RecordBatch.from_arrays([numbers, texts_to_arrow([facts])], names=[_TASK, "facts"])
