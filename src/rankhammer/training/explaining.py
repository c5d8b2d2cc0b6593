"""Explains each corpus's ranker on its test queries, one Spark task per corpus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.evaluation.explanations import importance, partial_dependence, shap_values
from rankhammer.exporters.ir.trees import load_booster
from rankhammer.mixed_model import opened
from rankhammer.training.held_out_rows import HeldOutRows, read_test_rows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark import SparkContext

    from rankhammer.evaluation.bootstrap import Bootstrap
    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.training.staging import StagedCorpus


@dataclass(frozen=True)
class ExplainTask:
    """Explain one ranker.

    Args:
        corpus: Whose.
        names: Base names of the corpus's staged files.
        model: Content of model.ubj, or of model.json.
        features: Of the ranker, in its order.
        n_rows: Largest number of test rows to look at, whole queries.
        n_features: Features whose partial dependence is computed: the most important ones.
        bootstrap: How intervals are made.
    """

    corpus: str
    names: tuple[str, ...]
    model: bytes
    features: tuple[str, ...]
    n_rows: int
    n_features: int
    bootstrap: Bootstrap


def explain_rankers(
    context: SparkContext,
    corpora: Mapping[str, StagedCorpus],
    rankers: Mapping[str, TrainedRanker],
    *,
    n_rows: int,
    n_features: int,
    bootstrap: Bootstrap,
) -> dict[str, dict[str, Any]]:
    """Explain rankers of every kind: boosters of XGBoost, and networks.

    Args:
        context: The session's.
        corpora: Corpus to its staged training matrix.
        rankers: Corpus to its ranker.
        n_rows: Largest number of a corpus's test rows to look at.
        n_features: Features of each whose partial dependence is computed.
        bootstrap: How intervals are made.

    Returns:
        Corpus to n_rows, n_queries, importance, dependence (feature to rows), and largest_gap: between a score and the
        sum of its contributions, which is rounding.
    """
    tasks = [
        ExplainTask(corpus, corpora[corpus].names, one.model, one.feature_set.names, n_rows, n_features, bootstrap)
        for corpus, one in sorted(rankers.items())
        if corpus in corpora
    ]
    # An action: some numbers per feature and corpus come back.
    return dict(context.parallelize(tasks, len(tasks)).map(_run).collect()) if tasks else {}


def _run(task: ExplainTask) -> tuple[str, dict[str, Any]]:
    from pyspark import SparkFiles

    rows = read_test_rows([SparkFiles.get(name) for name in task.names], task.n_rows, task.features)
    return task.corpus, explain(rows, task)


def explain(rows: HeldOutRows, task: ExplainTask) -> dict[str, Any]:
    """Explain one ranker on some test rows; see `explain_rankers`."""
    model = _opened(task.model)
    shap = shap_values(model, rows.features, task.features)
    found = importance(shap, task.features, rows.qid, rows.cluster, task.bootstrap)
    return {
        "n_rows": len(rows.qid),
        "n_queries": len(np.unique(rows.qid)),
        "largest_gap": shap.largest_gap,
        "importance": found,
        "dependence": _dependence(model, rows, task, [row["feature"] for row in found[: task.n_features]]),
    }


def _opened(model: bytes) -> Any:
    found = opened(model)
    if found is not None:
        return found
    booster = load_booster(model)
    booster.set_param({"nthread": 1})
    return booster


def _dependence(
    model: Any, rows: HeldOutRows, task: ExplainTask, shown: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    return {
        name: partial_dependence(
            model, rows.features, task.features, name, clusters=rows.cluster, bootstrap=task.bootstrap
        )
        for name in shown
    }
