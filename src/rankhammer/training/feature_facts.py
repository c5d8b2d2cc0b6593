"""What each corpus's features are good for: alone, beside each other, and how surely; one Spark task per corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.evaluation.metrics import mean_ndcg
from rankhammer.rankers.feature_selection import redundancy_map, select, stability
from rankhammer.training.fold_runs import threads_a_task
from rankhammer.training.matrix import read_corpus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from pyspark import SparkContext

    from rankhammer.training.matrix import CorpusArrays
    from rankhammer.training.staging import StagedCorpus

N_PAIRS = 50
"""Pairs of the redundancy map that are kept, the most redundant first."""


@dataclass(frozen=True)
class FeatureTask:
    """Look at one corpus's features.

    Args:
        corpus: Whose.
        names: Base names of its staged files.
        n_features: Features that are chosen.
        metric_k: NDCG of a feature alone looks down to this rank.
        n_threads: Threads to use.
    """

    corpus: str
    names: tuple[str, ...]
    n_features: int
    metric_k: int
    n_threads: int


def describe_features(
    context: SparkContext, corpora: Mapping[str, StagedCorpus], *, n_features: int, metric_k: int
) -> dict[str, dict[str, Any]]:
    """Say what features are good for, by the train split alone.

    Args:
        context: The session's.
        corpora: Corpus to its staged training matrix.
        n_features: Features that mRMR chooses, of all rows and of each fold's training rows.
        metric_k: NDCG of a feature alone looks down to this rank.

    Returns:
        Corpus to `chosen` (feature, relevance, redundancy, in_folds: the share of the folds that choose it, too),
        `stability` (see `feature_selection.stability`), `alone` (feature, ndcg: of its order alone, the better one of
        both directions; direction: 1 or -1; missing: the share of rows), and `redundant` (see `redundancy_map`).
    """
    n_threads = threads_a_task(context)
    tasks = [FeatureTask(name, staged.names, n_features, metric_k, n_threads) for name, staged in corpora.items()]
    # An action: some numbers per feature and corpus come back.
    return dict(context.parallelize(tasks, len(tasks)).map(_run).collect()) if tasks else {}


def _run(task: FeatureTask) -> tuple[str, dict[str, Any]]:
    from pyspark import SparkFiles

    return task.corpus, facts(read_corpus([SparkFiles.get(name) for name in task.names]), task)


def facts(corpus: CorpusArrays, task: FeatureTask) -> dict[str, Any]:
    """Describe one corpus's features; see `describe_features`."""
    rows = corpus.trainable("clicks")
    names = corpus.feature_names
    chosen = _choose(corpus, rows, task)
    folds = [set(_names(_choose(corpus, rows & (corpus.fold != fold), task))) for fold in np.unique(corpus.fold[rows])]
    kept = [names.index(one) for one in _names(chosen)]
    return {
        "chosen": [
            {
                "feature": one.feature,
                "relevance": one.relevance,
                "redundancy": one.redundancy,
                "in_folds": sum(one.feature in fold for fold in folds) / max(1, len(folds)),
            }
            for one in chosen
        ],
        "stability": stability([sorted(fold) for fold in folds]),
        "alone": _alone(corpus, rows, task.metric_k),
        "redundant": redundancy_map(corpus.features[rows][:, kept], _names(chosen), n_threads=task.n_threads)[:N_PAIRS],
    }


def _choose(corpus: CorpusArrays, rows: NDArray[np.bool_], task: FeatureTask) -> list[Any]:
    return select(
        corpus.features[rows],
        corpus.grades["clicks"][rows],
        corpus.feature_names,
        n_features=task.n_features,
        n_threads=task.n_threads,
    )


def _names(chosen: Sequence[Any]) -> list[str]:
    return [one.feature for one in chosen]


def _alone(corpus: CorpusArrays, rows: NDArray[np.bool_], k: int) -> list[dict[str, Any]]:
    features, grades, qid = corpus.features[rows], corpus.grades["clicks"][rows], corpus.qid[rows]
    found = []
    for place, name in enumerate(corpus.feature_names):
        column = features[:, place].astype(np.float64)
        up, down = (mean_ndcg(sign * column, grades, qid, k) for sign in (1.0, -1.0))
        missing = float(np.isnan(column).mean()) if len(column) else 0.0
        found.append({"feature": name, "ndcg": max(up, down), "direction": 1 if up >= down else -1, "missing": missing})
    return sorted(found, key=lambda row: (-row["ndcg"], row["feature"]))
