"""From training rows to the table that tuning reads, and from its result back to the best trials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from rankhammer import schemas
from rankhammer.errors import SchemaError, did_you_mean
from rankhammer.training.choice import lead_of
from rankhammer.training.search import Standing, Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import Column, DataFrame


UNLEARNED = "baseline"
"""Name of the ranker that no grade changes."""


def arrange_matrix(rows: DataFrame) -> DataFrame:
    """Bring each corpus together in one task, so that it becomes one file, sorted by query and document.

    A corpus is trained on one worker, so its rows fit there.

    Args:
        rows: schemas.TRAINING_ROWS after `evaluation.join_reference`.

    Returns:
        schemas.TRAINING_MATRIX without the documents that the engine does not have: their features are null. In a
        query that people graded, a document without their grade has reference grade 0.
    """
    known = rows.where("features IS NOT NULL").withColumn("reference_grade", _graded_or_zero())
    return schemas.TRAINING_MATRIX.select(known).repartition("corpus").sortWithinPartitions("corpus", "qid", "doc_id")


def require_features(rows: DataFrame, names: Sequence[str]) -> None:
    """Check that the vectors have exactly the feature set's features, in its order.

    Args:
        rows: Has features: struct<name: float>.
        names: The feature set's names.

    Raises:
        SchemaError: They differ; names the first difference.
    """
    found = list(rows.select("features.*").columns)
    if found == list(names):
        return
    missing = [name for name in names if name not in found]
    strange = [name for name in found if name not in names]
    fault = f"{missing[0]!r} is missing" if missing else f"{strange[0]!r} is not in the set" if strange else "the order"
    raise SchemaError(
        f"The training rows' features are not those of the feature set: {fault}; "
        f"found {found}, expected {list(names)}.",
        hint="The rows were collected with another feature set: run the features stage again.",
        found=found,
        expected=list(names),
    )


def require_feature(name: str, names: Iterable[str], *, parameter: str) -> None:
    """Check that a parameter names a feature of the set.

    Raises:
        SchemaError: It does not.
    """
    known = list(names)
    if name not in known:
        raise SchemaError(
            f"{parameter} names feature {name!r}, which is not in the feature set.",
            hint=did_you_mean(name, known),
            feature=name,
        )


def test_rows(matrix: DataFrame, corpora: Sequence[str]) -> DataFrame:
    """Return the rows of the test split, without reference grades: the evaluation joins all there are.

    Args:
        matrix: schemas.TRAINING_MATRIX.
        corpora: The corpora that have a ranker.
    """
    return matrix.where((F.col("split") == "test") & F.col("corpus").isin(list(corpora))).drop("reference_grade")


def read_trials(tuning_trials: DataFrame) -> list[Trial]:
    """Return every trial, by corpus, ranker and number.

    Args:
        tuning_trials: schemas.TUNING_TRIALS.
    """
    # An action: n_trials short rows per corpus and candidate come back.
    return sorted(map(_trial, tuning_trials.collect()), key=lambda trial: (trial.corpus, trial.ranker, trial.number))


def count_trials(trials: Iterable[Trial]) -> dict[str, dict[str, Any]]:
    """Return corpus to n_trials, n_failed_trials, default_params_ndcg, n_pruned_trials, standings and lead.

    Args:
        trials: What `read_trials` returned.

    Returns:
        The counts are over all candidates; `default_params_ndcg` is the mean NDCG of the chosen ranker's defaults in
        the search's folds, null where that trial failed; `standings` has each candidate's `Standing`, the best first;
        `lead` is that of the chosen ranker's best trial, None where there is no second one.
    """
    by_corpus: dict[str, list[Trial]] = {}
    for trial in trials:
        by_corpus.setdefault(trial.corpus, []).append(trial)
    return {corpus: _counts(found) for corpus, found in by_corpus.items()}


def _counts(trials: Sequence[Trial]) -> dict[str, Any]:
    standings = sorted((trial.standing for trial in trials if trial.standing), key=lambda one: one.behind)
    chosen = {standing.ranker for standing in standings if standing.chosen}
    of_chosen = [trial for trial in trials if trial.ranker in chosen]
    defaults = [trial.loss for trial in of_chosen if trial.number == 0 and trial.loss is not None]
    return {
        "n_trials": len(trials),
        "n_failed_trials": sum(trial.status == "fail" for trial in trials),
        "default_params_ndcg": -defaults[0] if defaults else None,
        "n_pruned_trials": sum(trial.status == "pruned" for trial in trials),
        "standings": standings,
        "lead": lead_of(of_chosen),
    }


def best_trials(tuning_trials: DataFrame) -> tuple[dict[str, Trial], dict[str, Trial]]:
    """Return each corpus's chosen trial, and the one that its oracle repeats.

    Args:
        tuning_trials: schemas.TUNING_TRIALS.

    Returns:
        Corpus to trial, twice. They are the same trial, unless a ranker was chosen that learns nothing: an oracle is to
        show what can be learned, and repeats the best trial of those that do; a corpus with no such trial has none.
    """
    # An action: a row a candidate and corpus comes back.
    found = tuning_trials.where("behind IS NOT NULL").collect()
    ordered = sorted(found, key=lambda row: (row.corpus, not row.chosen, row.behind, row.ranker))
    best: dict[str, Trial] = {}
    learned: dict[str, Trial] = {}
    for row in ordered:
        best.setdefault(row.corpus, _trial(row))
        if row.ranker != UNLEARNED:
            learned.setdefault(row.corpus, _trial(row))
    return best, learned


def _graded_or_zero() -> Column:
    zero_where_judged = F.when(F.col("ideal_reference_grades").isNotNull(), F.lit(0))
    return F.coalesce("reference_grade", zero_where_judged)


def _trial(row: Any) -> Trial:
    return Trial(
        row.corpus,
        row.trial,
        json.loads(row.params),
        row.loss,
        row.n_rounds,
        row.duration_s,
        error=row.error,
        ranker=row.ranker,
        standing=None if row.behind is None else Standing(row.ranker, row.ndcg, row.behind, row.behind_se, row.chosen),
        fold_ndcg=tuple(row.fold_ndcg or ()),
        is_pruned=row.status == "pruned",
    )
