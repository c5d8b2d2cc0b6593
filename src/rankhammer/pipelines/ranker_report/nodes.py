"""Nodes of the ranker report."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

# Kedro resolves every annotation of a node at run time.
from pandas import DataFrame as PandasFrame
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer.evaluation import segment_table, segments
from rankhammer.evaluation.compared_queries import read_measured
from rankhammer.evaluation.off_policy import nothing_shown
from rankhammer.evaluation.verdict import VerdictRule
from rankhammer.exporters.publish import by_corpus, read_ranker
from rankhammer.pipelines.params import RandomState  # noqa: TC001
from rankhammer.pipelines.ranker_report import figures
from rankhammer.pipelines.ranker_report.params import RankerReportParams  # noqa: TC001
from rankhammer.rankers import scoring
from rankhammer.training import explaining, feature_facts, final, held_out_curves
from rankhammer.training.staging import stage_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.evaluation.compared_queries import Measured

logger = logging.getLogger(__name__)


def report_segments(
    evaluation: DataFrame,
    training_rows: DataFrame,
    verdicts: dict[str, bytes],
    params: RankerReportParams,
    random_state: RandomState,
) -> tuple[PandasFrame, Figure]:
    """Compare rankers on parts of the test queries, corrected for how many comparisons there are."""
    measured = read_measured(verdicts, "logged")
    bootstrap = params.bootstrap(random_state)
    rows = segment_table.measured_segments(
        evaluation, training_rows, measured, own=params.segments, bootstrap=bootstrap
    )
    corrected = segments.with_holm(rows, alpha=1.0 - params.confidence, min_clusters=_min_clusters(measured))
    return PandasFrame(corrected), figures.segment_figure(corrected)


def explain_rankers(
    training_matrix: DataFrame, ranker: dict[str, bytes], params: RankerReportParams, random_state: RandomState
) -> tuple[dict[str, Any], Figure, Figure]:
    """Say what each feature adds to scores, and how scores follow the most important ones."""
    rankers = {corpus: read_ranker(corpus, files) for corpus, files in by_corpus(ranker).items()}
    found = explaining.explain_rankers(
        training_matrix.sparkSession.sparkContext,
        stage_matrix(training_matrix),
        rankers,
        n_rows=params.explanations.n_rows,
        n_features=params.explanations.n_features,
        bootstrap=params.bootstrap(random_state),
    )
    return {"corpora": found}, figures.importance_figure(found), figures.dependence_figure(found)


def describe_features(training_matrix: DataFrame, params: RankerReportParams) -> dict[str, Any]:
    """Say what each feature is good for, alone and beside the others."""
    found = feature_facts.describe_features(
        training_matrix.sparkSession.sparkContext,
        stage_matrix(training_matrix),
        n_features=params.n_features,
        metric_k=params.metric_k,
    )
    return {"corpora": found}


def measure_sizes(
    training_matrix: DataFrame, verdicts: dict[str, bytes], params: RankerReportParams, random_state: RandomState
) -> tuple[dict[str, Any], Figure, Figure]:
    """Say which size of a ranker is worth it, and whether more training queries are."""
    measured = read_measured(verdicts, "logged")
    found = held_out_curves.measure_sizes(
        training_matrix.sparkSession.sparkContext,
        stage_matrix(training_matrix),
        params.family(),
        shares=params.curves.shares,
        truths={name: "reference" if one.truth == "reference" else "clicks" for name, one in measured.items()},
        bootstrap=params.bootstrap(random_state),
        min_clusters=_min_clusters(measured),
    )
    about = {"metric": f"ndcg@{params.metric_k}", "parameter": params.curves.parameter}
    return {"corpora": found, **about}, figures.curve_figure(found, **about), figures.size_figure(found, **about)


def estimate_off_policy(
    training_rows: DataFrame, ranker: dict[str, bytes], params: RankerReportParams, random_state: RandomState
) -> dict[str, Any]:
    """Estimate from logged clicks what rankers would have gained."""
    models = final.models(ranker)
    shown = training_rows.where("split = 'test' AND features IS NOT NULL")
    scored = scoring.score_rows(shown, {"ranker": models})
    found = segment_table.off_policy_estimates(scored, params.rule(), params.bootstrap(random_state))
    corpora = {corpus: found.get(corpus) or nothing_shown() for corpus in sorted(models)}
    for corpus, facts in corpora.items():
        if facts["refused"]:
            logger.warning("Corpus %r has no estimate from clicks: %s.", corpus, facts["refused"])
    return {"corpora": corpora}


def _min_clusters(measured: Mapping[str, Measured]) -> int:
    """Return how many query clusters a verdict takes: of one run, the same number for all corpora."""
    return max((one.min_clusters for one in measured.values()), default=VerdictRule.min_clusters)
