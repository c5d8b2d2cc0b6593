"""Fold tasks as Spark jobs, whose results are kept until the search is over."""

from __future__ import annotations

import json
from dataclasses import asdict
from importlib import metadata
from typing import TYPE_CHECKING, Any

from rankhammer import progress
from rankhammer.canonical_json import to_text
from rankhammer.digests import hex_digest
from rankhammer.training.worker import FoldResult, FoldTask, run_fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark import SparkContext

    from rankhammer.storage.checkpoints import Checkpoints

_LIBRARIES = ("xgboost", "lightgbm", "hyperopt", "numpy")
"""Whose versions results depend on; lightgbm is an extra."""


class FoldRuns:
    """Runs fold tasks, one Spark job a call, and keeps what each call gave.

    A search that starts again makes the same calls in the same order, since a trial's seed is made of its number. So
    those that are kept are read.

    Args:
        context: The session's.
        kept: Where results are kept; None: nowhere.
    """

    def __init__(self, context: SparkContext, kept: Checkpoints | None = None) -> None:
        self._context = context
        self._kept = kept
        self._n_calls = 0

    def __call__(self, tasks: Sequence[FoldTask]) -> list[FoldResult]:
        """Run every task, or read what an earlier run kept of these very tasks.

        Returns:
            One result per task, in (corpus, ranker, trial, fold) order.
        """
        number, self._n_calls = self._n_calls, self._n_calls + 1
        if not tasks or self._kept is None:
            return run_folds(self._context, tasks) if tasks else []
        made_of = _digest(tasks)
        found = self._kept.read(number, made_of)
        if found is not None:
            progress.tell("reading what an interrupted run has kept")
            return _unpack(found)
        results = run_folds(self._context, tasks)
        self._kept.write(number, made_of, _pack(results))
        return results


def run_folds(context: SparkContext, tasks: Sequence[FoldTask]) -> list[FoldResult]:
    """Run every task in a Spark task of its own; neighbours share a matrix, which their worker keeps.

    Args:
        context: The session's.
        tasks: At least one.

    Returns:
        One result per task, in (corpus, ranker, trial, fold) order.
    """
    ordered = sorted(tasks, key=lambda task: (task.trial.corpus, task.fold, task.trial.ranker, task.trial.number))
    # An action: a few numbers per task come back, no rows.
    results = context.parallelize(ordered, len(ordered)).map(run_fold).collect()
    return sorted(results, key=lambda result: (result.corpus, result.ranker, result.trial, result.fold))


def threads_a_task(context: SparkContext) -> int:
    """Return the cores that Spark gives to one task."""
    return int(context.getConf().get("spark.task.cpus", "1") or 1)


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries whose results a search is made of."""
    return {found.name: found.version for name in _LIBRARIES for found in metadata.distributions(name=name)}


def _digest(tasks: Sequence[FoldTask]) -> str:
    """Tell tasks from others: matrix (its files are named by content), fold, ranker, parameters, settings."""
    described = [
        [
            *(task.names, task.trial.corpus, task.trial.ranker, task.trial.number, task.fold, task.truth),
            *(dict(task.trial.params), task.ranker.model_dump(mode="json"), asdict(task.settings)),
        ]
        for task in tasks
    ]
    return hex_digest(to_text(described))


def _pack(results: Sequence[FoldResult]) -> str:
    """Write results as JSON, whose numbers read back as the same bits."""
    return json.dumps([asdict(result) | {"n_rounds": int(result.n_rounds)} for result in results])


def _unpack(text: str) -> list[FoldResult]:
    return [FoldResult(**{**fields, "groups": _groups(fields["groups"])}) for fields in json.loads(text)]


def _groups(found: list[list[Any]]) -> tuple[tuple[float, int], ...]:
    return tuple((sums, count) for sums, count in found)
