"""Run a click model over tables of any size: one shuffle to fit, none per iteration."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rankhammer import progress
from rankhammer.click_models.base import ClickModel, CorpusFit
from rankhammer.click_models.counts.columnar import texts_to_arrow, to_arrow
from rankhammer.click_models.counts.pattern_counts import count_serps
from rankhammer.click_models.counts.pattern_reader import CountedCorpus, read_in_chunks
from rankhammer.click_models.em import count_pairs, lower_bound
from rankhammer.click_models.sampling import corpus_sizes, for_each_corpus, sample_clusters
from rankhammer.click_models.warm_start import add_start
from rankhammer.click_models.weighted_clicks import GAINS, require_weights_used
from rankhammer.errors import ConvergenceWarning, CorpusFailure
from rankhammer.schemas import CLICK_MODEL_PARAMETERS, ddl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

PAIR_COLUMNS = {name: kind for name, kind in CLICK_MODEL_PARAMETERS.columns.items() if name != "parameters"}
"""Columns of fitted parameters that every model has; the model's own follow, as doubles."""

N_QUANTILES = 1001
_FIT = "fit"


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
            `sampling.MIN_SAMPLE_CLUSTERS` clusters, where there are that many.
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
    return fit_counted(model, counted, sizes=sizes, sample_serps=sample_serps, min_examined=min_examined, start=start)


def fit_counted(
    model: ClickModel,
    counted: DataFrame,
    *,
    sizes: Sequence[Mapping[str, Any]],
    sample_serps: int,
    min_examined: float,
    start: DataFrame | None = None,
) -> FittedClickModel:
    """Fit a click model to every corpus of a log that is counted already; see `fit`.

    Args:
        model: Any registered click model.
        counted: `schemas.COUNTED_SERPS`, kept somewhere: it is read twice.
        sizes: What `sampling.corpus_sizes` says of it.
        sample_serps: See `fit`.
        min_examined: See `fit`.
        start: See `fit`.
    """
    if GAINS in counted.columns:
        require_weights_used(model)
    failures = tuple(_no_clicks(size["corpus"], size["n_serps"]) for size in sizes if not size["n_clicks"])
    sound = [size for size in sizes if size["n_clicks"]]
    sample = sample_clusters(counted, sound, sample_serps)
    progress.tell("fitting the click model to a sample")
    computed = for_each_corpus(sample, sound, {_FIT: partial(_fit_sample, model, min_examined=min_examined)})
    rows = {corpus: facts[_FIT] for corpus, facts in computed.items()}
    corpora = {corpus: CorpusFit(**facts["fit"]) for corpus, facts in rows.items()}
    _warn_unless_converged(corpora)
    if start is not None:
        counted = add_start(counted, start, model.parameter_names)
    return FittedClickModel(
        model=model,
        corpora=corpora,
        parameters=_fit_clusters(model, counted, corpora),
        failures=failures,
        relevance_quantiles={corpus: tuple(facts["quantiles"]) for corpus, facts in rows.items()},
        lower_quantiles={corpus: tuple(facts["lower_quantiles"]) for corpus, facts in rows.items()},
    )


def _fit_sample(model: ClickModel, found: CountedCorpus, *, min_examined: float) -> dict[str, Any]:
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
    schema = ddl({**PAIR_COLUMNS, **own})

    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for found in read_in_chunks(batches):
            if found.corpus in corpora:
                yield fit_pairs(model, found, corpora[found.corpus])

    return counted.mapInArrow(run, schema)


def fit_pairs(model: ClickModel, found: CountedCorpus, corpus: CorpusFit) -> pa.RecordBatch:
    """Fit some clusters of one corpus.

    Args:
        model: Any click model.
        found: The counted log.
        corpus: What its clusters share.

    Returns:
        PAIR_COLUMNS and the model's own, one row per pair.
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
