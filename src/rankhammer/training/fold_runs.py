"""Fold tasks as Spark jobs, whose results are kept until the search is over."""

from __future__ import annotations

import json
import logging
import re
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
_LOST = re.compile(r"Python worker exited unexpectedly|Python worker failed to connect back|ExecutorLostFailure")
"""What Spark says of a task whose process ended: the kernel, or YARN, takes the largest one where memory runs out."""
_OF_MACHINE = re.compile(f"{_LOST.pattern}|MemoryError|bad_alloc|[Oo]ut of memory")
"""Failures that more memory cures: such a batch is not kept, as nothing that it is made of says how much there was."""
logger = logging.getLogger(__name__)


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
            return _run_each(self._context, tasks) if tasks else []
        made_of = _digest(tasks)
        found = self._kept.read(number, made_of)
        if found is not None:
            progress.tell("reading what an interrupted run has kept")
            return _unpack(found)
        results = _run_each(self._context, tasks)
        if not any(_OF_MACHINE.search(result.error) for result in results):
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


def _run_each(context: SparkContext, tasks: Sequence[FoldTask]) -> list[FoldResult]:
    """Run tasks as `run_folds`; a trial that ends its workers fails, as one that raises does, and the others go on.

    Spark gives up a job in which a task fails again and again. Then each trial gets a job of its own.
    """
    try:
        return run_folds(context, tasks)
    except Exception as exc:
        if not _lost_worker(exc):
            raise
        trials = sorted({_trial(task) for task in tasks})
        logger.warning("%s: each of the %d trials that ran together is run by itself.", _lost_worker(exc), len(trials))
    by_itself = [_run_alone(context, [task for task in tasks if _trial(task) == trial]) for trial in trials]
    return [result for results in by_itself for result in results]


def _run_alone(context: SparkContext, tasks: Sequence[FoldTask]) -> list[FoldResult]:
    """Run the tasks of one trial; where they end their workers, that is how its folds ended."""
    try:
        return run_folds(context, tasks)
    except Exception as exc:
        if not (error := _lost_worker(exc)):
            raise
    error = f"{error}: too little memory, most often (spark.executor.memoryOverhead, or fewer tasks at once)"
    return [
        FoldResult(task.trial.corpus, task.trial.number, task.fold, error=error, ranker=task.trial.ranker)
        for task in tasks
    ]


def _trial(task: FoldTask) -> tuple[str, str, int]:
    return task.trial.corpus, task.trial.ranker, task.trial.number


def _lost_worker(exc: Exception) -> str:
    """Return Spark's words where a job failed since its processes ended; empty where it failed for another reason."""
    found = _LOST.search(str(exc))
    return found[0] if found else ""


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
