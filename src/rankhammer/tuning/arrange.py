"""From training rows to the table that tuning reads, and from its result back to the best trials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from rankhammer import schemas
from rankhammer.errors import SchemaError, did_you_mean
from rankhammer.tuning.search import Trial

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from pyspark.sql import Column, DataFrame


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


def count_trials(tuning_trials: DataFrame) -> DataFrame:
    """Return one row a corpus: n_trials, n_failed_trials, and the mean NDCG of the defaults in the search's folds."""
    return tuning_trials.groupBy("corpus").agg(
        F.count("*").alias("n_trials"),
        F.count_if(F.col("status") != "ok").alias("n_failed_trials"),
        (-F.min(F.when(F.col("trial") == 0, F.col("loss")))).alias("default_params_ndcg"),
    )


def best_trials(tuning_trials: DataFrame) -> dict[str, Trial]:
    """Return each corpus's trial with the lowest loss, the earliest of equals.

    Args:
        tuning_trials: schemas.TUNING_TRIALS.
    """
    best: dict[str, Trial] = {}
    # An action: n_trials short rows a corpus come back.
    for row in tuning_trials.where("loss IS NOT NULL").orderBy("corpus", "loss", "trial").collect():
        best.setdefault(row.corpus, _trial(row))
    return best


def _graded_or_zero() -> Column:
    zero_where_judged = F.when(F.col("ideal_reference_grades").isNotNull(), F.lit(0))
    return F.coalesce("reference_grade", zero_where_judged)


def _trial(row: Any) -> Trial:
    return Trial(row.corpus, row.trial, json.loads(row.params), row.loss, row.n_rounds, row.duration_s)
