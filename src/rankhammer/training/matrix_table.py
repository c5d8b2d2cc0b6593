"""From training rows to the table that tuning reads, and from its result back to the best trials."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import functions as F

from rankhammer import schemas
from rankhammer.canonical_json import to_text
from rankhammer.errors import SchemaError, did_you_mean
from rankhammer.training.choice import lead_of
from rankhammer.training.curves import Curve
from rankhammer.training.search import Standing, Trial

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from pyspark.sql import Column, DataFrame, SparkSession


_ARROW = {
    "string": pa.string(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "array<double>": pa.list_(pa.float64()),
    "array<int>": pa.list_(pa.int32()),
    "array<array<double>>": pa.list_(pa.list_(pa.float64())),
    "array<array<int>>": pa.list_(pa.list_(pa.int32())),
}
_COLUMNS = {**schemas.TUNING_TRIALS.columns, **schemas.TUNING_TRIALS.optional}
_TRIALS = pa.schema([(name, _ARROW[kind]) for name, kind in _COLUMNS.items()])
UNLEARNED = "baseline"
"""Name of the ranker that no grade changes."""


def arrange_matrix(rows: DataFrame) -> DataFrame:
    """Bring each corpus together in one task, so that it becomes one file, sorted by query and document.

    A corpus is trained on one worker, so its rows fit there.

    Args:
        rows: schemas.TRAINING_ROWS after `evaluation.join_reference`.

    Returns:
        schemas.TRAINING_MATRIX without the documents that the engine does not have: their features are null. In a
        query that people graded, a document without their grade has reference grade 0. Where rows are cut by time, a
        query may be in both splits: then people's grades test rankers, and no oracle learns from them.
    """
    known = rows.where("features IS NOT NULL").withColumn("reference_grade", _graded_or_zero())
    if schemas.PERIOD in rows.columns:
        known = known.withColumn("reference_grade", F.when(F.col("split") == "test", F.col("reference_grade")))
    return schemas.TRAINING_MATRIX.select(known).repartition("corpus").sortWithinPartitions("corpus", "qid", "doc_id")


def with_zeros(rows: DataFrame, keep_absent: Collection[str]) -> DataFrame:
    """Make absent values 0 where the feature set says so: engines serve 0, and rows may come from elsewhere.

    Args:
        rows: Has features: struct<name: float>; null where the engine does not have the document.
        keep_absent: Names of the features that may be absent.
    """
    names = rows.select("features.*").columns
    if set(names) <= set(keep_absent):
        return rows
    features = F.col("features")
    zero = F.lit(0.0).cast("float")
    values = {name: features.getField(name) for name in names}
    filled = [
        (value if name in keep_absent else F.coalesce(F.nanvl(value, zero), zero)).alias(name)
        for name, value in values.items()
    ]
    return rows.withColumn("features", F.when(features.isNotNull(), F.struct(*filled)))


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


def trial_table(session: SparkSession, trials: Iterable[Trial]) -> DataFrame:
    """Return trials as schemas.TUNING_TRIALS, in one partition; `params` as JSON with sorted keys."""
    rows = [
        {
            "corpus": trial.corpus,
            "trial": trial.number,
            "loss": trial.loss,
            "status": trial.status,
            "n_rounds": trial.n_rounds,
            "params": to_text(dict(trial.params)),
            "duration_s": trial.duration_s,
            "ranker": trial.ranker,
            "error": trial.error,
            "fold_ndcg": list(trial.fold_ndcg) if trial.fold_ndcg else None,
            "standard_error": trial.standard_error,
            **_standing(trial.standing),
            "fold_rounds": list(trial.fold_rounds) or None,
            "curve_rounds": [list(curve.rounds) for curve in trial.curves] or None,
            "curve_ndcg": [list(curve.ndcg) for curve in trial.curves] or None,
            "model_size": trial.model_size,
            "behind_best": trial.behind_best,
            "behind_best_se": trial.behind_best_se,
        }
        for trial in trials
    ]
    # As a table of Arrow it goes to the JVM; plain rows would go there by Python workers.
    table = pa.Table.from_pylist(rows, schema=_TRIALS)
    return session.createDataFrame(table, schemas.ddl(_COLUMNS)).coalesce(1)


def _standing(found: Standing | None) -> dict[str, Any]:
    if found is None:
        return {"ndcg": None, "behind": None, "behind_se": None, "chosen": False}
    return {
        "ndcg": found.ndcg,
        "behind": found.behind,
        "behind_se": found.standard_error,
        "chosen": found.chosen,
    }


def count_trials(trials: Iterable[Trial]) -> dict[str, dict[str, Any]]:
    """Return corpus to n_trials, n_failed_trials, default_params_ndcg, n_pruned_trials, standings, lead and of_chosen.

    Args:
        trials: What `read_trials` returned.

    Returns:
        The counts are over all candidates; `default_params_ndcg` is the mean NDCG of the chosen ranker's defaults in
        the search's folds, null where that trial failed; `standings` has each candidate's `Standing`, the best first;
        `lead` is that of the chosen ranker's best trial, None where there is no second one; `of_chosen` are that
        ranker's trials.
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
        "of_chosen": of_chosen,
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
    more = row.asDict()
    curves = zip(more.get("curve_rounds") or (), more.get("curve_ndcg") or (), strict=True)
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
        fold_rounds=tuple(more.get("fold_rounds") or ()),
        curves=tuple(Curve(tuple(rounds), tuple(ndcg)) for rounds, ndcg in curves),
        **{name: more.get(name) for name in ("model_size", "behind_best", "behind_best_se")},
    )
