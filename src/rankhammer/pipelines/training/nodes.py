"""Nodes of the training stage."""

from __future__ import annotations

from dataclasses import asdict
from operator import itemgetter
from typing import Any

# Kedro resolves every annotation of a node at run time.
from pandas import DataFrame as PandasFrame  # noqa: TC002
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer import schemas
from rankhammer.errors import stop_if_all_failed
from rankhammer.evaluation import reference_judgments as reference
from rankhammer.evaluation import systems
from rankhammer.feature_sets import FeatureSet  # noqa: TC001
from rankhammer.pipelines.params import Language, RandomState  # noqa: TC001
from rankhammer.pipelines.training import report
from rankhammer.pipelines.training.params import TrainingParams  # noqa: TC001
from rankhammer.pipelines.training.tuning_figures import history_of_trials, metric_by_round, parallel_parameters
from rankhammer.rankers import scoring
from rankhammer.storage.checkpoints import CheckpointFolder  # noqa: TC001
from rankhammer.training import final, matrix_table, task_memory
from rankhammer.training.tune import tune_corpora

Failures = list[dict[str, str]]


def build_training_matrix(
    training_rows: DataFrame,
    reference_judgments: DataFrame | None,
    params: TrainingParams,
    feature_set: FeatureSet,
    language: Language,
) -> tuple[DataFrame, dict[str, Any]]:
    """Put what training needs of every corpus into one sorted file, and count the reference judgments."""
    matrix_table.require_features(training_rows, feature_set.names)
    matrix_table.require_feature(params.baseline_feature, feature_set.names, parameter="training.baseline_feature")
    counts, failures = reference.check_judgments(reference_judgments, max_bad_share=params.max_bad_share)
    usable = reference.without(training_rows, failures)
    complete = matrix_table.with_zeros(usable, feature_set.keep_absent)
    rows = systems.join_reference(complete, reference_judgments, language=language)
    matrix = schemas.TRAINING_MATRIX.check(matrix_table.arrange_matrix(rows))
    return matrix, {"corpora": counts, "failures": [asdict(failure) for failure in failures]}


def tune(
    training_matrix: DataFrame,
    params: TrainingParams,
    random_state: RandomState,
    checkpoints: CheckpointFolder | None = None,
) -> tuple[DataFrame, Failures]:
    """Search every corpus's parameters by cross-validation."""
    staged = task_memory.stage_within_memory(training_matrix, params.workers.staged(), params.rows_on_disk)
    session = training_matrix.sparkSession
    trials, failures = tune_corpora(
        session.sparkContext,
        staged.corpora,
        choice=params.choice_of(),
        budget=params.budget(),
        random_state=random_state,
        checkpoints=checkpoints,
        on_disk=staged.on_disk,
    )
    stop_if_all_failed(failures, len(staged.corpora))
    return matrix_table.trial_table(session, trials), [asdict(failure) for failure in staged.failures + failures]


def train_ranker(
    training_matrix: DataFrame,
    tuning_trials: DataFrame,
    tuning_failures: Failures,
    reference_counts: dict[str, Any],
    params: TrainingParams,
    feature_set: FeatureSet,
    random_state: RandomState,
) -> tuple[dict[str, bytes], dict[str, bytes], Failures, dict[str, dict[str, Any]]]:
    """Train every corpus's ranker, and its oracle where there are reference judgments, with the best parameters."""
    staged = task_memory.stage_within_memory(training_matrix, params.workers.staged(), params.rows_on_disk)
    trainer = final.Trainer(params.choice_of(), params.budget(), params.n_sample_vectors, random_state, staged.on_disk)
    best, learned = matrix_table.best_trials(tuning_trials)
    fits = trainer.fit(training_matrix.sparkSession.sparkContext, staged.corpora, best, learned)
    stop_if_all_failed(fits.failures, len(best))
    failed = [failure for failure in [*staged.failures, *fits.failures] if failure.corpus in best]
    failures = reference_counts["failures"] + tuning_failures + [asdict(failure) for failure in failed]
    found = reference.with_found(reference_counts["corpora"], {name: of.n_relevant for name, of in fits.facts.items()})
    return trainer.ranker_files(fits, best, feature_set), trainer.oracle_files(fits, learned), failures, found


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
    rows = matrix_table.test_rows(training_matrix, list(rankers)).transform(
        systems.join_reference, reference_judgments, language=language, known=training_matrix
    )
    shown = scoring.rank_as_shown(rows, baseline_feature=params.baseline_feature)
    scored = scoring.score_rows(shown, {"ranker": rankers, "oracle": oracles})
    return systems.evaluate_systems(scored, metrics=params.metrics)


def report_training(
    evaluation_table: DataFrame,
    tuning_trials: DataFrame,
    ranker: dict[str, bytes],
    failures: Failures,
    reference_found: dict[str, dict[str, Any]],
    params: TrainingParams,
    random_state: RandomState,
) -> tuple[dict[str, Any], Figure, Figure, PandasFrame, dict[str, bytes], Figure, Figure, Figure]:
    """Sum up what was searched and trained and how well it ranks, and judge it."""
    summary = systems.summarize(
        evaluation_table, n_resamples=params.n_resamples, confidence=params.confidence, random_state=random_state
    )
    # An action: a dozen rows a (corpus, metric, truth) come back. To sort them, Spark would make each of them twice.
    found = [row.asDict() for row in summary.collect()]
    rows = sorted(found, key=itemgetter("corpus", "truth", "metric", "quantity", "system"))
    trials = matrix_table.read_trials(tuning_trials)
    counts, rule, rankers = matrix_table.count_trials(trials), params.verdict_rule(), params.choice_of()
    facts = report.build(ranker, rows, counts, headline=params.headline, rule=rule, rankers=rankers)
    about = {**params.how_measured(), "reference_judgments": reference_found}
    verdicts = report.verdict_files(facts, params.how_measured())
    drawn = (draw(trials, metric=params.headline) for draw in (history_of_trials, parallel_parameters, metric_by_round))
    return (*report.pack(facts, rows, failures, about), verdicts, *drawn)
