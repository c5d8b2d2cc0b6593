"""What runs inside a Spark task: one fit, on a matrix that the reused Python worker keeps."""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np

from rankhammer import plugins
from rankhammer.errors import DataError
from rankhammer.evaluation.metrics import mean_value
from rankhammer.evaluation.metrics import ndcg as ndcg_of
from rankhammer.rankers.model_size import size_or_rounds
from rankhammer.training.choice import group_sums
from rankhammer.training.curves import NO_CURVE, Curve, curve_of
from rankhammer.training.fit_rows import FitRows, rows_in_memory, rows_on_disk
from rankhammer.training.matrix import (
    CorpusArrays,
    SampleVectors,
    Truth,
    read_corpus,
    sample_vectors,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from numpy.typing import NDArray

    from rankhammer.plugins import PluginSpec
    from rankhammer.rankers import FitSettings, FittedRanker, Ranker
    from rankhammer.rankers.base import Batches
    from rankhammer.training.search import Group, Trial

CORPORA_BYTES = 512 << 20
FOLDS_BYTES = 1 << 30
"""What a worker keeps at most of raw corpora and of prepared folds, beside the one in use. A fold is counted by the
4-byte values it is made from, although XGBoost's bins take 1 byte: a full cache is about 1 GB."""


@dataclass(frozen=True)
class FoldTask:
    """Train one trial on all folds but one, and validate on that one.

    Args:
        names: Base names of the corpus's staged files.
        trial: As proposed.
        fold: The validation fold.
        ranker: Registered ranker and its options.
        settings: Rounds, threads and seed.
        truth: Whose grades to learn and to be measured by.
        on_disk: Whether the rows are too many for the task's memory; results are the same.
        n_workers: Tasks that train the model together.
        rounds_kept: Largest number of rounds whose validation metric comes back.
    """

    names: tuple[str, ...]
    trial: Trial
    fold: int
    ranker: PluginSpec
    settings: FitSettings
    truth: Truth = "clicks"
    on_disk: bool = False
    n_workers: int = 1
    rounds_kept: int = 0


@dataclass(frozen=True)
class FoldResult:
    """A few numbers of one fold task.

    Args:
        corpus: Whose rows.
        trial: Number of the trial.
        fold: The validation fold.
        ndcg: Mean NDCG of the validation queries; NaN when the fit failed.
        n_rounds: Best number of rounds.
        duration_s: Seconds in the worker.
        error: Why it failed; empty when it did not.
        ranker: Name of the ranker that was tried.
        groups: Of the validation queries, see `choice.group_sums`.
        curve: The validation metric by round, where early stopping looked at it.
        model_size: See `rankers.model_size`; the rounds where that is not known.
    """

    corpus: str
    trial: int
    fold: int
    ndcg: float = math.nan
    n_rounds: int = 0
    duration_s: float = 0.0
    error: str = ""
    ranker: str = ""
    groups: tuple[Group, ...] = ()
    curve: Curve = NO_CURVE
    model_size: int = 0


@dataclass(frozen=True)
class FinalTask:
    """Train on the whole train split with parameters that are settled.

    Args:
        corpus: Whose rows.
        names: Base names of its staged files.
        truth: Whose grades to learn.
        ranker: Registered ranker and its options.
        params: The best trial's parameters.
        settings: Rounds, threads and seed.
        n_samples: Largest number of feature vectors to return with their scores.
        on_disk: Whether the rows are too many for the task's memory; results are the same.
        n_workers: Tasks that train the model together.
    """

    corpus: str
    names: tuple[str, ...]
    truth: Truth
    ranker: PluginSpec
    params: Mapping[str, Any]
    settings: FitSettings
    n_samples: int
    on_disk: bool = False
    n_workers: int = 1


@dataclass(frozen=True)
class FinalResult:
    """A trained ranker, and what the export checks it with.

    Args:
        corpus: Whose ranker.
        truth: Whose grades it learned.
        fitted: The ranker; None when the fit failed.
        sample: Some feature vectors; None when the fit failed.
        scores: The ranker's scores of the sample, float32, shape (n,).
        error: Why it failed; empty when it did not.
        hint: What to do about the error.
    """

    corpus: str
    truth: Truth
    fitted: FittedRanker | None = None
    sample: SampleVectors | None = None
    scores: NDArray[np.float32] | None = None
    error: str = ""
    hint: str = "The search's best trial cannot be repeated on all folds: look at the error."


_TIME_OF_DAY, _ADDRESS = re.compile(r"\[\d\d:\d\d:\d\d\] "), re.compile(r"0x[0-9a-fA-F]+")


class Sized(Protocol):
    """A value that knows about how much memory it takes."""

    @property
    def n_bytes(self) -> int:
        """Bytes to count."""
        ...


T = TypeVar("T", bound=Sized)


class LruCache(Generic[T]):
    """The values used last, up to a number of bytes; the newest is kept whatever its size.

    Args:
        limit_bytes: How much is kept.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def __len__(self) -> int:
        return len(self._values)

    def clear(self) -> None:
        """Forget all values."""
        self._values.clear()

    def get(self, key: Hashable, build: Callable[[], T]) -> T:
        """Return the value of a key, built when it is not there; the ones not used for longest make room for it."""
        if key not in self._values:
            self._values[key] = build()
        self._values.move_to_end(key)
        while len(self._values) > 1 and sum(value.n_bytes for value in self._values.values()) > self._limit_bytes:
            self._values.popitem(last=False)
        return self._values[key]


_corpora: LruCache[CorpusArrays] = LruCache(CORPORA_BYTES)
_folds: LruCache[FitRows] = LruCache(FOLDS_BYTES)


def run_fold(task: FoldTask) -> FoldResult:
    """Run one fold of one trial; whatever goes wrong is the trial's failure, never the search's."""
    began = time.perf_counter()
    try:
        values, *of_model = _validate(task)
        ndcg, groups = mean_value(values), group_sums(values)
        error = "" if math.isfinite(ndcg) else f"fold {task.fold} has no query with a relevant document"
    except Exception as exc:  # noqa: BLE001 - a ranker may be anyone's plugin and raise anything
        ndcg, groups, of_model, error = math.nan, (), [0, NO_CURVE, 0], _text(exc)
        if isinstance(exc, MemoryError):
            # What is kept for later fits may be what there was no room for.
            _folds.clear()
            _corpora.clear()
    seconds = time.perf_counter() - began
    trial = task.trial
    n_rounds, curve, size = of_model
    of_fit: tuple[Any, ...] = (ndcg, n_rounds, seconds, error, trial.ranker, groups, curve, size)
    return FoldResult(trial.corpus, trial.number, task.fold, *of_fit)


def _text(exc: Exception) -> str:
    """Say what went wrong in the same words each time: without the time of day and addresses of memory."""
    text = f"{type(exc).__name__}: {exc}".partition("\nStack trace:")[0].rstrip()
    return _ADDRESS.sub("0x", _TIME_OF_DAY.sub("", text))


def run_final(task: FinalTask) -> FinalResult:
    """Train one ranker on the whole train split and score the sample with it."""
    try:
        return _train(task)
    except DataError as exc:
        return FinalResult(task.corpus, task.truth, error=exc.message, hint=exc.hint)
    except Exception as exc:  # noqa: BLE001 - a ranker may be anyone's plugin and raise anything
        return FinalResult(task.corpus, task.truth, error=_text(exc))


def _validate(task: FoldTask) -> tuple[NDArray[np.float64], int, Curve, int]:
    ranker: Ranker = plugins.create("rankers", task.ranker)
    key = (task.names, task.fold, task.truth, task.ranker.model_dump_json(), task.on_disk)
    rows = _folds.get(key, lambda: _fit_rows(ranker, task, task.fold))
    fitted = ranker.fit(rows.train, rows.valid, params=task.trial.params, settings=task.settings)
    values = ndcg_of_batches(ranker, fitted.model, rows.measured, task.settings)
    curve = curve_of(fitted, ranker, values, task.rounds_kept)
    return values, fitted.n_rounds, curve, size_or_rounds(fitted, ranker)


def ndcg_of_batches(ranker: Ranker, model: bytes, batches: Batches, settings: FitSettings) -> NDArray[np.float64]:
    """Return NDCG of each query in the order of the rows, NaN where it has no relevant document; shape (n_queries,).

    Args:
        ranker: That made the model.
        model: What scores.
        batches: Validation rows.
        settings: Of the fit.

    Raises:
        DataError: A score is no finite number.
    """
    found = [np.empty(0)]
    for place in range(len(batches)):
        batch = batches[place]
        scores = ranker.score(model, batch.features, n_threads=settings.n_threads)
        if not np.isfinite(scores).all():
            # NDCG would rank such documents last, and the trial might even look good.
            raise DataError(
                f"{np.count_nonzero(~np.isfinite(scores))} of {len(scores)} scores are no finite numbers",
                hint="Give the parameters bounds within which the fit does not diverge.",
            )
        found.append(ndcg_of(scores, batch.label, batch.qid, settings.metric_k))
    return np.concatenate(found)


def _fit_rows(ranker: Ranker, task: FoldTask | FinalTask, fold: int | None) -> FitRows:
    n_threads, truth = task.settings.n_threads, task.truth
    if task.on_disk:
        return rows_on_disk(ranker, _local(task.names), fold, truth, n_threads=n_threads)
    return rows_in_memory(ranker, _arrays(task.names), fold, truth, n_threads=n_threads)


def _train(task: FinalTask) -> FinalResult:
    ranker: Ranker = plugins.create("rankers", task.ranker)
    n_threads = task.settings.n_threads
    rows = _fit_rows(ranker, task, None)
    fitted = ranker.fit(rows.train, None, params=task.params, settings=task.settings)
    require_an_order(ranker, fitted.model, rows.measured, n_threads=n_threads)
    sample = sample_vectors(_local(task.names), task.n_samples)
    scores = ranker.score(fitted.model, sample.features, n_threads=n_threads)
    return FinalResult(task.corpus, task.truth, fitted, sample, scores)


def _arrays(names: tuple[str, ...]) -> CorpusArrays:
    return _corpora.get(names, lambda: read_corpus(_local(names)))


def _local(names: tuple[str, ...]) -> list[str]:
    from pyspark import SparkFiles

    return [SparkFiles.get(name) for name in names]


def require_an_order(ranker: Ranker, model: bytes, batches: Batches, *, n_threads: int) -> None:
    """Refuse a ranker that orders no query: to publish it would be to replace an order by none.

    Args:
        ranker: That made the model.
        model: What scores.
        batches: Rows that it was trained on.
        n_threads: Threads to use.

    Raises:
        DataError: All documents of each query have the same score.
    """
    if not orders_something(ranker, model, batches, n_threads=n_threads):
        raise no_order()


def orders_something(ranker: Ranker, model: bytes, batches: Batches, *, n_threads: int) -> bool:
    """Say whether two documents of some query have different scores; or that there is none to tell."""
    for place in range(len(batches)):
        batch = batches[place]
        scores = ranker.score(model, batch.features, n_threads=n_threads)
        starts = np.flatnonzero(np.r_[True, batch.qid[1:] != batch.qid[:-1]])
        if (np.maximum.reduceat(scores, starts) != np.minimum.reduceat(scores, starts)).any():
            return True
    return not len(batches)


def no_order() -> DataError:
    """Return what a ranker that orders no query is refused with."""
    return DataError(
        "the trained ranker gives all documents of each query the same score: the features do not tell them apart",
        hint="See features_report.json: do the features differ between a query's documents? Add features that do, "
        "or judge more queries.",
    )
