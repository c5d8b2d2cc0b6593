"""Run a click model over tables of any size: one shuffle to fit, none per iteration."""

from __future__ import annotations

import json
import warnings
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rankhammer.click_models.base import ClickModel, CorpusFit
from rankhammer.click_models.counting import CountedCorpus, count_serps, read_counted
from rankhammer.click_models.evidence import count_pairs, lower_bound
from rankhammer.click_models.packing import texts_to_arrow, to_arrow
from rankhammer.click_models.warm_start import add_start
from rankhammer.errors import ConvergenceWarning, CorpusFailure, DataError
from rankhammer.schemas import CLICK_MODEL_PARAMETERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame, Row

PAIR_COLUMNS = {name: kind for name, kind in CLICK_MODEL_PARAMETERS.columns.items() if name != "parameters"}
"""Columns of fitted parameters that every model has; the model's own follow, as doubles."""

MIN_SAMPLE_CLUSTERS = 200
"""Clusters in a sample at least: a pooled mean over fewer says little of the corpus."""

N_QUANTILES = 1001
_HASH_BUCKETS = 1_000_000


@dataclass(frozen=True)
class FittedClickModel:
    """A click model fitted to every corpus of a log.

    Args:
        model: The model.
        corpora: What the clusters of each corpus share; a corpus that could not be fitted is missing.
        parameters: PAIR_COLUMNS and `model.parameter_names`; grain (corpus, query_cluster_id, doc_id). Lazy: each
            action on it runs the EM again, unless it is persisted.
        failures: Corpora that could not be fitted.
        relevance_quantiles: For each corpus N_QUANTILES evenly spaced quantiles of relevance in the sample, over the
            clicked pairs with enough evidence; empty when there are none.
        lower_quantiles: The same of the lower bound of relevance.
    """

    model: ClickModel
    corpora: Mapping[str, CorpusFit]
    parameters: DataFrame
    failures: tuple[CorpusFailure, ...]
    relevance_quantiles: Mapping[str, tuple[float, ...]]
    lower_quantiles: Mapping[str, tuple[float, ...]]


def fit(
    model: ClickModel,
    serps: DataFrame,
    *,
    sample_serps: int,
    min_examined: float,
    start: DataFrame | None = None,
) -> FittedClickModel:
    """Fit a click model to every corpus of a log.

    What the clusters share is fitted on a sample of whole clusters, chosen by a hash of their ids, and then fixed;
    after that every cluster stands alone. So neither the order of rows nor the partitions change the result.

    Args:
        model: Any registered click model.
        serps: `schemas.SERPS`.
        sample_serps: About how many pages of each corpus the shared parameters are fitted on; never fewer than
            MIN_SAMPLE_CLUSTERS clusters, where there are that many.
        min_examined: Pairs with fewer expected examinations are left out of the quantiles.
        start: `FittedClickModel.parameters` of an earlier fit, of this model or of one that shares parameters with it:
            every pair that it has begins there. Where the fit ends does not depend on it but for the tolerance.

    Returns:
        The fitted model.

    Raises:
        DataError: There is no page at all.
    """
    counted = count_serps(serps).persist()
    sizes = corpus_sizes(counted)
    failures = tuple(_no_clicks(size["corpus"], size["n_serps"]) for size in sizes if not size["n_clicks"])
    sound = [size for size in sizes if size["n_clicks"]]
    rows = for_each_corpus(
        sample_clusters(counted, sound, sample_serps), lambda found: _fit_sample(model, found, min_examined)
    )
    corpora = {corpus: CorpusFit(**facts["fit"]) for corpus, facts in rows.items()}
    _warn_unless_converged(corpora)
    return FittedClickModel(
        model=model,
        corpora=corpora,
        parameters=_fit_clusters(
            model, counted if start is None else add_start(counted, start, model.parameter_names), corpora
        ),
        failures=failures,
        relevance_quantiles={corpus: tuple(facts["quantiles"]) for corpus, facts in rows.items()},
        lower_quantiles={corpus: tuple(facts["lower_quantiles"]) for corpus, facts in rows.items()},
    )


def corpus_sizes(counted: DataFrame) -> Sequence[Row]:
    """Return corpus, n_serps, n_clicks and n_clusters (approximate) of every corpus, sorted by name.

    Raises:
        DataError: There is no page at all.
    """
    from pyspark.sql import functions as F

    sizes = counted.groupBy("corpus").agg(
        F.sum("n_serps").alias("n_serps"),
        F.sum("n_clicks").alias("n_clicks"),
        F.approx_count_distinct("query_cluster_id").alias("n_clusters"),
    )
    # An action: the size of a sample depends on the size of its corpus. One row a corpus comes back.
    found = sorted(sizes.collect(), key=lambda row: str(row["corpus"]))
    if not found:
        raise DataError(
            "The click log holds no result page to label.",
            hint="Look at the ingestion report: it counts the rows that were set aside, by reason.",
        )
    return found


def sample_clusters(counted: DataFrame, sizes: Sequence[Row], n_serps: int) -> DataFrame:
    """Keep whole clusters, about `n_serps` pages of each corpus, by a hash of (corpus, cluster).

    Args:
        counted: What `count_serps` returned.
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
    counted: DataFrame, compute: Callable[[CountedCorpus], dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Compute facts of every corpus in one task each, side by side.

    Args:
        counted: COUNTED_COLUMNS, few enough rows a corpus for one task.
        compute: Counted log of one corpus to facts that JSON can hold; runs on the workers.

    Returns:
        Corpus to facts, in name order.
    """

    def run(table: pa.Table) -> pa.Table:
        facts = {found.corpus: json.dumps(compute(found)) for found in read_counted(table.to_batches())}
        columns = [texts_to_arrow(list(facts)), texts_to_arrow(list(facts.values()))]
        return pa.Table.from_arrays(columns, names=["corpus", "facts"])

    computed = counted.groupBy("corpus").applyInArrow(run, "corpus string, facts string")
    # An action: the facts steer the next job. A few kilobytes a corpus come back.
    rows = computed.collect()
    return {row["corpus"]: json.loads(row["facts"]) for row in sorted(rows, key=lambda row: str(row["corpus"]))}


def _fit_sample(model: ClickModel, found: CountedCorpus, min_examined: float) -> dict[str, Any]:
    shared = model.fit_corpus(found.serps)
    fitted = model.fit(found.serps, shared)
    counts = count_pairs(found.serps)
    relevance = model.predict_relevance(fitted, shared)
    proven = (fitted.n_examined >= min_examined) & (counts.clicks > 0)
    mean, sd = relevance.mean[proven], relevance.sd[proven]
    return {
        "fit": asdict(shared),
        "quantiles": _quantiles(mean),
        "lower_quantiles": _quantiles(lower_bound(mean, sd)),
    }


def _quantiles(values: NDArray[np.float64]) -> list[float]:
    found: list[float] = np.quantile(values, np.linspace(0, 1, N_QUANTILES)).tolist() if len(values) else []
    return found


def _fit_clusters(model: ClickModel, counted: DataFrame, corpora: Mapping[str, CorpusFit]) -> DataFrame:
    own = dict.fromkeys(model.parameter_names, "double")
    schema = ", ".join(f"{name} {kind}" for name, kind in {**PAIR_COLUMNS, **own}.items())

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for found in read_counted(batches):
            if found.corpus in corpora:
                yield fit_pairs(model, found, corpora[found.corpus])

    return counted.mapInArrow(run, schema)


def fit_pairs(model: ClickModel, found: CountedCorpus, corpus: CorpusFit) -> pa.RecordBatch:
    """Fit all clusters of one corpus in one partition.

    Args:
        model: Any click model.
        found: The counted log.
        corpus: What its clusters share.

    Returns:
        PAIR_COLUMNS and the model's own, one row a pair.
    """
    fitted = model.fit(found.serps, corpus, found.start) if found.start else model.fit(found.serps, corpus)
    counts = count_pairs(found.serps)
    relevance = model.predict_relevance(fitted, corpus)
    cluster = to_arrow(found.serps.pair_cluster)
    columns = [
        texts_to_arrow([found.corpus]).take(to_arrow(np.zeros(found.serps.n_pairs, np.int64))),
        found.cluster_ids.take(cluster),
        found.queries.take(cluster),
        found.doc_ids,
        to_arrow(counts.impressions.astype(np.int64)),
        to_arrow(fitted.n_examined),
        to_arrow(counts.clicks.astype(np.int64)),
        to_arrow(counts.mean_position),
        to_arrow(relevance.mean),
        to_arrow(relevance.sd),
        to_arrow(lower_bound(relevance.mean, relevance.sd)),
        to_arrow(relevance.prior_share),
        to_arrow(fitted.n_iter.astype(np.int32)),
        to_arrow(fitted.converged),
        *(to_arrow(fitted.parameters[name]) for name in model.parameter_names),
    ]
    return pa.RecordBatch.from_arrays(columns, names=[*PAIR_COLUMNS, *model.parameter_names])


def _no_clicks(corpus: str, n_serps: int) -> CorpusFailure:
    return CorpusFailure(
        corpus,
        "labeling",
        f"none of its {n_serps} result pages has a click, so nothing says which documents are good.",
        "Check that the log's click column is mapped; a reader that finds no click marks every position false.",
    )


def _warn_unless_converged(corpora: Mapping[str, CorpusFit]) -> None:
    stopped = [corpus for corpus, found in corpora.items() if not found.converged]
    if stopped:
        warnings.warn(
            f"The click model's shared parameters did not settle within max_iter for {', '.join(stopped)}; "
            "raise labeling.click_model.options.max_iter or fix the continuation.",
            ConvergenceWarning,
            stacklevel=3,
        )
