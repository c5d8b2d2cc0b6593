"""Scores rows of the training matrix once more, as the evaluation scored them, also with rankers of earlier runs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from rankhammer.corpora import folder_of
from rankhammer.errors import DataError
from rankhammer.evaluation import systems
from rankhammer.mixed_model import file_of
from rankhammer.rankers import scoring
from rankhammer.training import final, matrix_table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rankhammer.evaluation.bootstrap import Bootstrap
    from rankhammer.evaluation.compared_queries import Measured
    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.feature_sets import FeatureSet

_ALL = "_all_features"


@dataclass(frozen=True)
class Measuring:
    """How rankers are measured: as training does it.

    Args:
        metrics: Names that `metrics.parse_metric` knows.
        baseline_feature: Feature whose order alone is the baseline.
        language: Language whose stemmer made the cluster ids of the matrix.
        bootstrap: How intervals are made.
    """

    metrics: Sequence[str]
    baseline_feature: str
    language: str
    bootstrap: Bootstrap


def scorer(ranker: Mapping[str, bytes]) -> Callable[[DataFrame, Measured], DataFrame]:
    """Return what adds the columns logged, baseline and ranker to rows of the matrix.

    Args:
        ranker: The rankers' folders, "<folder of the corpus>/<file>" to content.
    """
    models = final.models(ranker)

    def score(rows: DataFrame, measured: Measured) -> DataFrame:
        shown = scoring.rank_as_shown(rows, baseline_feature=measured.baseline_feature)
        return scoring.score_rows(shown, {"ranker": models})

    return score


def measure(
    matrix: DataFrame,
    reference_judgments: DataFrame | None,
    rankers: Mapping[str, TrainedRanker],
    *,
    corpus: str,
    measuring: Measuring,
) -> list[dict[str, Any]]:
    """Measure rankers, the logged order and the baseline on the test queries of one corpus.

    Args:
        matrix: schemas.TRAINING_MATRIX.
        reference_judgments: schemas.REFERENCE_JUDGMENTS; None where there are none.
        rankers: System ("ranker", "champion") to the ranker that stands for it; the matrix has its features.
        corpus: Which one.
        measuring: How.

    Returns:
        Rows of `systems.summarize`; for the same ranker and data those of the training stage.

    Raises:
        DataError: The corpus has no test query.
    """
    named = {system: {corpus: trained} for system, trained in rankers.items()}
    found = measure_corpora(matrix, reference_judgments, named, measuring=measuring)
    if not found:
        raise DataError(
            f"Corpus {corpus!r} has no test query.",
            hint="`kedro run --pipeline=train` makes the training matrix; `rankhammer runs` says which corpora it has.",
            corpus=corpus,
        )
    return found


def measure_corpora(
    matrix: DataFrame,
    reference_judgments: DataFrame | None,
    rankers: Mapping[str, Mapping[str, TrainedRanker]],
    *,
    measuring: Measuring,
) -> list[dict[str, Any]]:
    """Measure rankers, the logged order and the baseline on the test queries of several corpora at once.

    Args:
        matrix: schemas.TRAINING_MATRIX.
        reference_judgments: schemas.REFERENCE_JUDGMENTS; None where there are none.
        rankers: System ("ranker", "champion") to corpus to ranker, the same corpora for each system; the matrix has
            their features.
        measuring: How.

    Returns:
        Rows of `systems.summarize`; none of a corpus without a test query.
    """
    corpora = sorted({corpus for of_system in rankers.values() for corpus in of_system})
    rows = matrix_table.test_rows(matrix, corpora).transform(
        systems.join_reference, reference_judgments, language=measuring.language, known=matrix
    )
    scored = scoring.rank_as_shown(rows, baseline_feature=measuring.baseline_feature)
    for system, trained in rankers.items():
        scored = _scored(scored, system, trained)
    evaluation = systems.evaluate_systems(
        scored, metrics=measuring.metrics, systems=("logged", "baseline", *sorted(rankers))
    )
    how = measuring.bootstrap
    summary = systems.summarize(
        evaluation, n_resamples=how.n_resamples, confidence=how.confidence, random_state=how.random_state
    )
    # An action: a dozen rows a (corpus, metric, truth) come back.
    order = itemgetter("corpus", "truth", "metric", "quantity", "system")
    return sorted((row.asDict() for row in summary.collect()), key=order)


def require_same_features(trained: TrainedRanker, today: FeatureSet, *, name: str) -> None:
    """Refuse a ranker whose features are other numbers than the training matrix's.

    Args:
        trained: The ranker.
        today: The feature set that the matrix was made with.
        name: What messages call the ranker.

    Raises:
        DataError: A feature is missing there, or is defined in another way.
    """
    known = {feature.name: feature for feature in today.features}
    missing = [feature.name for feature in trained.feature_set.features if feature.name not in known]
    changed = [feature.name for feature in trained.feature_set.features if known.get(feature.name) != feature]
    if missing or changed:
        what = f"lacks {', '.join(missing)}" if missing else f"defines {', '.join(changed)} in another way"
        raise DataError(
            f"{name} cannot be measured: the feature set of today's training matrix {what}.",
            hint="Train and compare rankers with one feature set, or go without a comparison: "
            "`rankhammer promote --accept-without-gain REASON`.",
            features=missing or changed,
        )


def _scored(rows: DataFrame, system: str, rankers: Mapping[str, TrainedRanker]) -> DataFrame:
    """Add the rankers' scores; each is given its own features, in its own order."""
    by_features: dict[tuple[str, ...], dict[str, TrainedRanker]] = {}
    for corpus, trained in sorted(rankers.items()):
        by_features.setdefault(tuple(trained.feature_set.names), {})[corpus] = trained
    if len(by_features) == 1:
        return _scored_by(rows, system, rankers)
    parts = [
        _scored_by(rows.where(F.col("corpus").isin(sorted(alike))), system, alike) for alike in by_features.values()
    ]
    return reduce(DataFrame.unionAll, parts)


def _scored_by(rows: DataFrame, system: str, rankers: Mapping[str, TrainedRanker]) -> DataFrame:
    """Add the scores of rankers that have the same features in the same order."""
    files = {}
    for corpus, trained in rankers.items():
        files[f"{folder_of(corpus)}/{file_of(trained.model)}"] = trained.model
        files[f"{folder_of(corpus)}/manifest.json"] = final.to_json(trained.manifest)
    names = next(iter(rankers.values())).feature_set.names
    is_whole = list(names) == rows.select("features.*").columns
    given = rows.withColumn(_ALL, F.col("features"))
    if not is_whole:
        given = given.withColumn("features", F.struct(*(F.col(f"features.{name}") for name in names)))
    scored = scoring.score_rows(given, {system: final.models(files)})
    return scored.withColumn("features", F.col(_ALL)).drop(_ALL)
