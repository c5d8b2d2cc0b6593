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


def count_trials(tuning_trials: DataFrame) -> dict[str, dict[str, Any]]:
    """Return corpus to n_trials, n_failed_trials, default_params_ndcg, n_pruned_trials, standings and lead.

    Args:
        tuning_trials: schemas.TUNING_TRIALS.

    Returns:
        The counts are over all candidates; `default_params_ndcg` is the mean NDCG of the chosen ranker's defaults in
        the search's folds, null where that trial failed; `standings` has each candidate's `Standing`, the best first;
        `lead` is that of the chosen ranker's best trial, None where there is no second one.
    """
    # An action: n_trials short rows per corpus come back.
    rows = tuning_trials.drop("params", "n_rounds", "duration_s").collect()
    by_corpus: dict[str, list[Any]] = {}
    for row in sorted(rows, key=lambda row: (row.corpus, row.ranker, row.trial)):
        by_corpus.setdefault(row.corpus, []).append(row)
    return {corpus: _counts(found) for corpus, found in by_corpus.items()}


def _counts(rows: Sequence[Any]) -> dict[str, Any]:
    standings = sorted((_standing(row) for row in rows if row.behind is not None), key=lambda one: one.behind)
    chosen = {standing.ranker for standing in standings if standing.chosen}
    defaults = [row.loss for row in rows if row.trial == 0 and row.ranker in chosen and row.loss is not None]
    return {
        "n_trials": len(rows),
        "n_failed_trials": sum(row.status == "fail" for row in rows),
        "default_params_ndcg": -defaults[0] if defaults else None,
        "n_pruned_trials": sum(row.status == "pruned" for row in rows),
        "standings": standings,
        "lead": lead_of(
            Trial(row.corpus, row.trial, {}, row.loss, ranker=row.ranker, fold_ndcg=tuple(row.fold_ndcg or ()))
            for row in rows
            if row.ranker in chosen and row.status == "ok"
        ),
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
    params = json.loads(row.params)
    return Trial(
        row.corpus,
        row.trial,
        params,
        row.loss,
        row.n_rounds,
        row.duration_s,
        ranker=row.ranker,
        standing=_standing(row),
    )


def _standing(row: Any) -> Standing:
    return Standing(row.ranker, row.ndcg, row.behind, row.behind_se, row.chosen)
