"""Fold tasks as Spark jobs, whose results are kept until the search is over."""

from __future__ import annotations

import json
import logging
import re
import time
from dataclasses import asdict, replace
from importlib import metadata
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from rankhammer import progress
from rankhammer.canonical_json import to_text
from rankhammer.digests import hex_digest
from rankhammer.training.curves import Curve
from rankhammer.training.worker import FoldResult, FoldTask, run_fold

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark import SparkContext

    from rankhammer.storage.checkpoints import Checkpoints
    from rankhammer.training.distributed_fit import DistributedFits

_Place = tuple[str, str, int, int]
"""Corpus, ranker, number of a trial, and fold."""
_LIBRARIES = ("xgboost", "xgboost-cpu", "lightgbm", "catboost", "hyperopt", "numpy")
"""Whose versions results depend on; lightgbm and catboost are extras."""
_LOST = re.compile(r"Python worker exited unexpectedly|Python worker failed to connect back|ExecutorLostFailure")
"""What Spark says of a task whose process ended: the kernel, or YARN, takes the largest one where memory runs out."""
_OF_MACHINE = re.compile(f"{_LOST.pattern}|MemoryError|bad_alloc|[Oo]ut of memory")
"""Failures that more memory cures: such a batch is not kept, as nothing that it is made of says how much there was."""


class SlotUsage:
    """How much of the time in which fits ran the slots were in use; calls may overlap."""

    def __init__(self) -> None:
        self._spans: list[tuple[float, float]] = []
        self.busy_s = 0.0

    def add(self, began: float, ended: float, busy_s: float) -> None:
        """Count a call.

        Args:
            began: By a clock that only goes on.
            ended: By the same.
            busy_s: Seconds of its fits, all tasks together.
        """
        self._spans.append((began, ended))
        self.busy_s += busy_s

    @property
    def wall_s(self) -> float:
        """Seconds in which at least one call ran."""
        seconds, until = 0.0, float("-inf")
        for began, ended in sorted(self._spans):
            seconds += max(0.0, ended - max(began, until))
            until = max(until, ended)
        return seconds

    def text(self, n_slots: int) -> str:
        """Say it in a sentence; empty where nothing ran.

        Args:
            n_slots: Tasks that can run at once.
        """
        if not self._spans or not self.wall_s:
            return ""
        share = self.busy_s / (self.wall_s * n_slots)
        return f"{self.busy_s:.1f} s of fits in {self.wall_s:.1f} s x {n_slots} slots: {share:.0%} in use"


NO_CORPORA: Mapping[str, DistributedFits] = MappingProxyType({})
logger = logging.getLogger(__name__)


class FoldRuns:
    """Runs fold tasks, one Spark job a call, and keeps what each call gave.

    A search that starts again makes the same calls in the same order, since a trial's seed is made of its number. So
    those that are kept are read. Fits of so many rounds that were made before, as those of a candidate whose rounds are
    fixed from the beginning, are not made again for the choice among rankers.

    Args:
        context: The session's.
        kept: Where results are kept; None: nowhere.
        distributed: Corpora whose models several tasks train together.
    """

    def __init__(
        self,
        context: SparkContext,
        kept: Checkpoints | None = None,
        distributed: Mapping[str, DistributedFits] = NO_CORPORA,
    ) -> None:
        self._context = context
        self._distributed = distributed
        self._kept = kept
        self._n_calls = 0
        self._fixed: dict[_Place, tuple[FoldTask, FoldResult]] = {}
        self.usage = SlotUsage()

    def __call__(self, tasks: Sequence[FoldTask], number: int | None = None) -> list[FoldResult]:
        """Run every task, or read what an earlier run kept of these very tasks.

        Args:
            tasks: Any number.
            number: Of the call, the same in every search of this data; None: the next one. Calls by several threads
                need one.

        Returns:
            One result per task, in (corpus, ranker, trial, fold) order.
        """
        if number is None:
            number, self._n_calls = self._n_calls, self._n_calls + 1
        known = [result for task in tasks if (result := self._known(task))]
        others = [task for task in tasks if not self._known(task)]
        results = self._read_or_run(others, number) if others else []
        by_place = {_place(task): task for task in others if task.settings.early_stopping_rounds is None}
        for result in results:
            place = _place_of(result)
            if place in by_place and not result.error:
                self._fixed[place] = by_place[place], result
        return sorted(known + results, key=_place_of)

    def _known(self, task: FoldTask) -> FoldResult | None:
        """Return what the very same fit gave before; a trial's parameters are those of its number."""
        earlier, result = self._fixed.get(_place(task), (None, None))
        return result if earlier and replace(earlier, trial=task.trial) == task else None

    def _read_or_run(self, tasks: Sequence[FoldTask], number: int) -> list[FoldResult]:
        if self._kept is None:
            return self._measured(tasks)
        made_of = _digest(tasks)
        found = self._kept.read(number, made_of)
        if found is not None:
            progress.tell("reading what an interrupted run has kept")
            return _unpack(found)
        results = self._measured(tasks)
        if not any(_OF_MACHINE.search(result.error) for result in results):
            self._kept.write(number, made_of, _pack(results))
        return results

    def _measured(self, tasks: Sequence[FoldTask]) -> list[FoldResult]:
        began = time.monotonic()
        results = self._run(tasks)
        n_workers = {(task.trial.corpus, task.trial.ranker, task.trial.number): task.n_workers for task in tasks}
        busy_s = sum(one.duration_s * n_workers[one.corpus, one.ranker, one.trial] for one in results)
        self.usage.add(began, time.monotonic(), busy_s)
        return results

    def _run(self, tasks: Sequence[FoldTask]) -> list[FoldResult]:
        """Run the tasks of single workers together, and those of several workers one after the other."""
        apart = [task for task in tasks if task.trial.corpus in self._distributed]
        together = [task for task in tasks if task.trial.corpus not in self._distributed]
        results = _run_each(self._context, together) if together else []
        results += [self._distributed[task.trial.corpus].run_fold(task) for task in apart]
        return sorted(results, key=_place_of)


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
    return sorted(results, key=_place_of)


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


def _place(task: FoldTask) -> _Place:
    return (*_trial(task), task.fold)


def _place_of(result: FoldResult) -> _Place:
    return result.corpus, result.ranker, result.trial, result.fold


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
            task.n_workers,
            *(dict(task.trial.params), task.ranker.model_dump(mode="json"), asdict(task.settings)),
        ]
        for task in tasks
    ]
    return hex_digest(to_text(described))


def _pack(results: Sequence[FoldResult]) -> str:
    """Write results as JSON, whose numbers read back as the same bits."""
    return json.dumps(
        [
            asdict(result) | {"n_rounds": int(result.n_rounds), "model_size": int(result.model_size)}
            for result in results
        ]
    )


def _unpack(text: str) -> list[FoldResult]:
    return [
        FoldResult(**fields | {"groups": _groups(fields["groups"]), "curve": Curve(*map(tuple, fields["curve"]))})
        for fields in json.loads(text)
    ]


def _groups(found: list[list[Any]]) -> tuple[tuple[float, int], ...]:
    return tuple((sums, count) for sums, count in found)
