"""Nodes of the training stage."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

# Kedro resolves every annotation of a node at run time.
from pandas import DataFrame as PandasFrame  # noqa: TC002
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer import evaluation, schemas
from rankhammer.errors import stop_if_all_failed
from rankhammer.feature_sets import FeatureSet  # noqa: TC001
from rankhammer.pipelines.params import Language, RandomState  # noqa: TC001
from rankhammer.pipelines.training import report
from rankhammer.pipelines.training.params import TrainingParams  # noqa: TC001
from rankhammer.rankers import scoring
from rankhammer.tuning import arrange, final
from rankhammer.tuning.staging import stage_matrix
from rankhammer.tuning.tune import trial_table, tune_corpora

Failures = list[dict[str, str]]


def build_training_matrix(
    training_rows: DataFrame,
    reference_judgments: DataFrame | None,
    params: TrainingParams,
    feature_set: FeatureSet,
    language: Language,
) -> DataFrame:
    """Put what training needs of every corpus into one sorted file."""
    arrange.require_features(training_rows, feature_set.names)
    arrange.require_feature(params.baseline_feature, feature_set.names, parameter="training.baseline_feature")
    rows = evaluation.join_reference(training_rows, reference_judgments, language=language)
    return schemas.TRAINING_MATRIX.check(arrange.arrange_matrix(rows))


def tune(training_matrix: DataFrame, params: TrainingParams, random_state: RandomState) -> tuple[DataFrame, Failures]:
    """Search every corpus's parameters by cross-validation."""
    corpora = stage_matrix(training_matrix)
    session = training_matrix.sparkSession
    trials, failures = tune_corpora(
        session.sparkContext,
        corpora,
        ranker=params.ranker,
        space=params.space(),
        budget=params.budget(),
        random_state=random_state,
    )
    stop_if_all_failed(failures, len(corpora))
    return trial_table(session, trials), [asdict(failure) for failure in failures]


def train_ranker(
    training_matrix: DataFrame,
    tuning_trials: DataFrame,
    tuning_failures: Failures,
    params: TrainingParams,
    feature_set: FeatureSet,
    random_state: RandomState,
) -> tuple[dict[str, bytes], dict[str, bytes], Failures]:
    """Train every corpus's ranker, and its oracle where there are reference judgments, with the best parameters."""
    trainer = final.Trainer(params.ranker, params.budget(), params.n_sample_vectors, random_state)
    best = arrange.best_trials(tuning_trials)
    fits = trainer.fit(training_matrix.sparkSession.sparkContext, stage_matrix(training_matrix), best)
    stop_if_all_failed(fits.failures, len(best))
    failures = tuning_failures + [asdict(failure) for failure in fits.failures]
    return trainer.ranker_files(fits, best, feature_set), final.oracle_files(fits), failures


def evaluate(
    training_matrix: DataFrame,
    ranker: dict[str, bytes],
    oracle_ranker: dict[str, bytes],
    reference_judgments: DataFrame | None,
    params: TrainingParams,
    language: Language,
) -> DataFrame:
    """Measure every system on every test query."""
    rankers, oracles = final.models(ranker), final.models(oracle_ranker)
    rows = arrange.test_rows(training_matrix, list(rankers)).transform(
        evaluation.join_reference, reference_judgments, language=language
    )
    shown = scoring.rank_as_shown(rows, baseline_feature=params.baseline_feature)
    scored = scoring.score_rows(shown, {"ranker": rankers, "oracle": oracles}, ranker=params.ranker)
    return evaluation.evaluate_systems(scored, metrics=params.metrics)


def report_training(
    evaluation_table: DataFrame,
    tuning_trials: DataFrame,
    ranker: dict[str, bytes],
    failures: Failures,
    params: TrainingParams,
    random_state: RandomState,
) -> tuple[dict[str, Any], Figure, Figure, PandasFrame]:
    """Sum up what was trained and how well it ranks."""
    summary = evaluation.summarize(
        evaluation_table, n_resamples=params.n_resamples, confidence=params.confidence, random_state=random_state
    )
    # Two actions: a dozen rows a (corpus, metric, truth), and one row a corpus, come back.
    rows = [row.asDict() for row in summary.orderBy("corpus", "truth", "metric", "quantity", "system").collect()]
    counts = [row.asDict() for row in arrange.count_trials(tuning_trials).collect()]
    facts = report.build(ranker, rows, counts, ranker=params.ranker, headline=params.headline)
    return report.pack(facts, rows, failures, metric=params.headline, confidence=params.confidence)
