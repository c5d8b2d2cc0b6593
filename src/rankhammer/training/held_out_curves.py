"""Fits rankers of several sizes on growing parts of the training queries, one Spark task per fit."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer import plugins
from rankhammer.evaluation.capacity import SizedScores, capacity_sweep, is_more_worth_it
from rankhammer.evaluation.metrics import ndcg
from rankhammer.evaluation.segments import interval
from rankhammer.evaluation.verdict import VerdictRule
from rankhammer.rankers import FitSettings
from rankhammer.training.fold_runs import threads_a_task
from rankhammer.training.held_out_rows import read_clusters
from rankhammer.training.matrix import read_corpus, read_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray
    from pyspark import SparkContext

    from rankhammer.evaluation.bootstrap import Bootstrap
    from rankhammer.plugins import PluginSpec
    from rankhammer.rankers import Ranker, RankingData
    from rankhammer.training.matrix import CorpusArrays, Truth
    from rankhammer.training.staging import StagedCorpus

ROUNDS = "n_rounds"
"""Name of a size that is no parameter of a ranker: how many trees, or rounds, there are."""
WHOLE = 1.0
HALF = 0.5


@dataclass(frozen=True)
class Family:
    """Rankers of one kind that differ in size.

    Args:
        ranker: Registered ranker and its options.
        parameter: The one that grows with capacity, such as max_depth; `ROUNDS`: the rounds themselves.
        values: Its values.
        n_rounds: Rounds of each fit, without early stopping; of no meaning where they are the size.
        metric_k: NDCG looks down to this rank.
    """

    ranker: PluginSpec
    parameter: str
    values: tuple[float, ...]
    n_rounds: int
    metric_k: int


@dataclass(frozen=True)
class CurveTask:
    """One fit.

    Args:
        corpus: Whose rows.
        names: Base names of its staged files.
        family: What is fitted.
        value: Of the family's parameter.
        share: Part of the training queries' clusters, above 0 to 1; a larger part holds the smaller ones.
        fold: The fold to measure on, which is left out of the fit; None: the test split.
        truth: Whose grades the held-out queries are measured by.
        seed: Of the fit and of the part.
        n_threads: Threads to use.
    """

    corpus: str
    names: tuple[str, ...]
    family: Family
    value: float
    share: float
    fold: int | None
    truth: Truth
    seed: int
    n_threads: int


@dataclass(frozen=True)
class CurveResult:
    """What one fit reached.

    Args:
        task: Which.
        n_queries: Training queries.
        values: NDCG of each held-out query with a relevant document. Shape (n,).
        clusters: Number of each one's cluster. Shape (n,).
        error: Why it failed; empty when it did not.
    """

    task: CurveTask
    n_queries: int
    values: NDArray[np.float64]
    clusters: NDArray[np.int64]
    error: str = ""


def measure_sizes(
    context: SparkContext,
    corpora: Mapping[str, StagedCorpus],
    family: Family,
    *,
    shares: Sequence[float],
    truths: Mapping[str, Truth],
    bootstrap: Bootstrap,
    min_clusters: int = VerdictRule.min_clusters,
) -> dict[str, dict[str, Any]]:
    """Say for each corpus which size is worth it, and whether more training queries are.

    Learning curves are measured on the test split, as nothing is chosen by them. The size is chosen by
    cross-validation over the folds of the train split, which the test split takes no part in.

    Args:
        context: The session's.
        corpora: Corpus to its staged training matrix.
        family: What is fitted.
        shares: Parts of the training queries, above 0 to 1; 0.5 and 1 are added.
        truths: Corpus to whose grades count.
        bootstrap: How intervals are made; its seed is that of the fits.
        min_clusters: Query clusters that an answer takes, as a verdict does.

    Returns:
        Corpus to `curves` (rows: value, share, n_queries, mean, lower, upper), `sizes` (see `capacity_sweep`),
        `more_data` (see `is_more_worth_it`, for the chosen size), `chosen` (the value), and `failed` (fits and why).
    """
    parts, n_threads = sorted({*shares, HALF, WHOLE}), threads_a_task(context)
    tasks = [
        CurveTask(corpus, staged.names, family, value, share, fold, truth, bootstrap.random_state, n_threads)
        for corpus, staged in corpora.items()
        if corpus in truths
        for facts in [read_facts(staged.paths)]
        # Where the log is cut by time, people's grades are for the test split alone.
        for of_folds in [truths[corpus] if facts.has_reference else "clicks"]
        for value in family.values
        for share, fold, truth in [
            *((share, None, truths[corpus]) for share in parts),
            *((WHOLE, fold, of_folds) for fold in facts.folds),
        ]
    ]
    # An action: of each fit one number per held-out query comes back.
    results = context.parallelize(tasks, len(tasks)).map(run_curve).collect() if tasks else []
    by_corpus: dict[str, list[CurveResult]] = defaultdict(list)
    for result in results:
        by_corpus[result.task.corpus].append(result)
    return {corpus: sum_up(found, bootstrap, min_clusters) for corpus, found in sorted(by_corpus.items())}


def run_curve(task: CurveTask) -> CurveResult:
    """Run one fit; whatever goes wrong is its own failure."""
    from pyspark import SparkFiles

    try:
        return fit_part(task, [SparkFiles.get(name) for name in task.names])
    except Exception as exc:  # noqa: BLE001 - a ranker may be anyone's plugin and raise anything
        return CurveResult(task, 0, np.empty(0), np.empty(0, np.int64), f"{type(exc).__name__}: {exc}")


def fit_part(task: CurveTask, paths: Sequence[str]) -> CurveResult:
    """Fit a ranker of one size on a part of the training queries, and measure it on the held-out ones.

    Args:
        task: What.
        paths: Local Parquet files of the corpus.
    """
    corpus, clusters = read_corpus(paths), read_clusters(paths)
    held_out = _held_out(corpus, task.fold, task.truth)
    train = (
        corpus.trainable("clicks") & (corpus.fold != task.fold) & in_part(clusters, task.share, task.seed)[corpus.qid]
    )
    ranker: Ranker = plugins.create("rankers", task.family.ranker)
    data = corpus.ranking_data(train, "clicks")
    model = _fit(ranker, data, task)
    scores = ranker.score(model, corpus.features[held_out], n_threads=task.n_threads)
    qid = corpus.qid[held_out]
    values = ndcg(scores, corpus.grades[task.truth][held_out], qid, task.family.metric_k)
    kept = ~np.isnan(values)
    return CurveResult(task, len(np.unique(data.qid)), values[kept], clusters[np.unique(qid)][kept])


def fit_whole(task: CurveTask, paths: Sequence[str]) -> bytes:
    """Fit a ranker of one size on the whole train split.

    Args:
        task: What; its share and fold do not matter.
        paths: Local Parquet files of the corpus.

    Returns:
        The ranker.
    """
    corpus = read_corpus(paths)
    data = corpus.ranking_data(corpus.trainable("clicks"), "clicks")
    return _fit(plugins.create("rankers", task.family.ranker), data, task)


def _fit(ranker: Ranker, data: RankingData, task: CurveTask) -> bytes:
    family = task.family
    is_rounds = family.parameter == ROUNDS
    n_rounds = int(task.value) if is_rounds else family.n_rounds
    settings = FitSettings(n_rounds, None, family.metric_k, task.n_threads, task.seed)
    defaults = ranker.default_params()
    params = {} if is_rounds else {family.parameter: _plain(task.value, defaults[family.parameter])}
    prepared = ranker.prepare(data, n_threads=task.n_threads)
    return ranker.fit(prepared, None, params=params, settings=settings).model


def in_part(clusters: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Mark the clusters of a part, which is the same ones for a seed, and grows with the share.

    Args:
        clusters: Cluster of each query, numbers from 0 on. Shape (n_queries,).
        share: Above 0 to 1.
        seed: Of the order in which clusters are taken.
    """
    n_clusters = int(clusters.max(initial=-1)) + 1
    place = np.random.default_rng(seed).permutation(n_clusters)
    marked: NDArray[np.bool_] = (place < max(1, round(share * n_clusters)))[clusters]
    return marked


def sum_up(results: Iterable[CurveResult], bootstrap: Bootstrap, min_clusters: int) -> dict[str, Any]:
    """Sum up the fits of one corpus; see `measure_sizes`."""
    found = sorted(
        results, key=lambda one: (one.task.value, one.task.share, one.task.fold is not None, one.task.fold or 0)
    )
    failed = [{"value": one.task.value, "share": one.task.share, "error": one.error} for one in found if one.error]
    sound = [one for one in found if not one.error]
    on_test = {(one.task.value, one.task.share): one for one in sound if one.task.fold is None and one.values.size}
    validated: dict[float, list[CurveResult]] = defaultdict(list)
    for one in sound:
        if one.task.fold is not None:
            validated[one.task.value].append(one)
    sizes = _sweep(validated, bootstrap)
    chosen: float = next((row["size"] for row in sizes if row["is_chosen"]), float("nan"))
    half, whole = on_test.get((chosen, HALF)), on_test.get((chosen, WHOLE))
    more = None
    if half and whole:
        more = is_more_worth_it(half.values, whole.values, whole.clusters, bootstrap, min_clusters=min_clusters)
    curves = [_point(one, bootstrap) for one in on_test.values()]
    return {"curves": curves, "sizes": sizes, "more_data": more, "chosen": chosen if sizes else None, "failed": failed}


def _sweep(validated: Mapping[float, Sequence[CurveResult]], bootstrap: Bootstrap) -> list[dict[str, Any]]:
    """Every validated query once; a size that failed in a fold takes no part."""
    most = max((len(of) for of in validated.values()), default=0)
    whole = {value: of for value, of in validated.items() if len(of) == most}
    if not whole:
        return []
    sizes = [
        SizedScores(f"{of[0].task.family.parameter} {value:g}", value, np.concatenate([one.values for one in of]))
        for value, of in whole.items()
    ]
    clusters = np.concatenate([one.clusters for one in next(iter(whole.values()))])
    return capacity_sweep(sizes, clusters, bootstrap)


def _point(one: CurveResult, bootstrap: Bootstrap) -> dict[str, Any]:
    several = len(np.unique(one.clusters)) > 1
    lower, upper = interval(one.values, one.clusters, bootstrap) if several else (None, None)
    row = {"value": one.task.value, "share": one.task.share, "n_queries": one.n_queries}
    return row | {"mean": float(one.values.mean()), "lower": lower, "upper": upper}


def _held_out(corpus: CorpusArrays, fold: int | None, truth: Truth) -> NDArray[np.bool_]:
    mine = ~corpus.in_train if fold is None else corpus.in_train & (corpus.fold == fold)
    marked: NDArray[np.bool_] = mine & ~np.isnan(corpus.grades[truth])
    return marked


def _plain(value: float, default: Any) -> float | int:
    return int(value) if isinstance(default, int) else float(value)
