"""Nodes of the training stage that set its rankers beside earlier ones."""

from __future__ import annotations

from typing import Any

# Kedro resolves every annotation of a node at run time.
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer.evaluation.bootstrap import Bootstrap
from rankhammer.pipelines.params import Language, RandomState  # noqa: TC001
from rankhammer.pipelines.training import history_figure
from rankhammer.pipelines.training.params import TrainingParams  # noqa: TC001
from rankhammer.storage.champions import CurrentRankers  # noqa: TC001
from rankhammer.training import champion_comparison
from rankhammer.training.rescoring import Measuring


def compare_with_current(
    training_matrix: DataFrame,
    ranker: dict[str, bytes],
    reference_judgments: DataFrame | None,
    current_rankers: CurrentRankers,
    params: TrainingParams,
    language: Language,
    random_state: RandomState,
) -> dict[str, Any]:
    """Measure the rankers that are current until now on the same test queries."""
    bootstrap = Bootstrap(params.n_resamples, params.confidence, random_state)
    corpora = champion_comparison.compare_with_champions(
        training_matrix,
        reference_judgments,
        champion_comparison.find_pairs(ranker, current_rankers),
        measuring=Measuring(params.metrics, params.baseline_feature, language, bootstrap),
        headline=params.headline,
        rule=params.verdict_rule(),
    )
    return {"metric": params.headline, "corpora": corpora}


def compare_runs(training_report: dict[str, Any], run_history: list[dict[str, Any]]) -> Figure:
    """Draw what the rankers of earlier runs reached, beside those of this one."""
    return history_figure.history_figure(run_history, training_report)
