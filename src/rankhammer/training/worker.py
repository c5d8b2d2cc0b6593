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
from rankhammer.training.choice import group_sums
from rankhammer.training.matrix import CorpusArrays, SampleVectors, Truth, read_corpus, sample_vectors

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

    from numpy.typing import NDArray

    from rankhammer.plugins import PluginSpec
    from rankhammer.rankers import FitSettings, FittedRanker, Ranker
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
    """

    names: tuple[str, ...]
    trial: Trial
    fold: int
    ranker: PluginSpec
    settings: FitSettings
    truth: Truth = "clicks"


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
    """

    corpus: str
    names: tuple[str, ...]
    truth: Truth
    ranker: PluginSpec
    params: Mapping[str, Any]
    settings: FitSettings
    n_samples: int


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


@dataclass(frozen=True)
class _Fold:
    train: Any
    valid: Any
    features: NDArray[np.float32]
    grades: NDArray[np.float32]
    qid: NDArray[np.int32]
    n_bytes: int


_corpora: LruCache[CorpusArrays] = LruCache(CORPORA_BYTES)
_folds: LruCache[_Fold] = LruCache(FOLDS_BYTES)


def run_fold(task: FoldTask) -> FoldResult:
    """Run one fold of one trial; whatever goes wrong is the trial's failure, never the search's."""
    began = time.perf_counter()
    try:
        values, n_rounds = _validate(task)
        ndcg, groups = mean_value(values), group_sums(values)
        error = "" if math.isfinite(ndcg) else f"fold {task.fold} has no query with a relevant document"
    except Exception as exc:  # noqa: BLE001 - a ranker may be anyone's plugin and raise anything
        ndcg, groups, n_rounds, error = math.nan, (), 0, _text(exc)
        if isinstance(exc, MemoryError):
            # What is kept for later fits may be what there was no room for.
            _folds.clear()
            _corpora.clear()
    seconds = time.perf_counter() - began
    trial = task.trial
    return FoldResult(trial.corpus, trial.number, task.fold, ndcg, n_rounds, seconds, error, trial.ranker, groups)


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
        return FinalResult(task.corpus, task.truth, error=f"{type(exc).__name__}: {exc}")


def _validate(task: FoldTask) -> tuple[NDArray[np.float64], int]:
    ranker: Ranker = plugins.create("rankers", task.ranker)
    n_threads = task.settings.n_threads
    key = (task.names, task.fold, task.truth, task.ranker.model_dump_json())
    fold = _folds.get(key, lambda: _build_fold(ranker, _arrays(task.names), task.fold, task.truth, n_threads))
    fitted = ranker.fit(fold.train, fold.valid, params=task.trial.params, settings=task.settings)
    scores = ranker.score(fitted.model, fold.features, n_threads=n_threads)
    if not np.isfinite(scores).all():
        # NDCG would rank such documents last, and the trial might even look good.
        raise DataError(
            f"{np.count_nonzero(~np.isfinite(scores))} of {len(scores)} scores are no finite numbers",
            hint="Give the parameters bounds within which the fit does not diverge.",
        )
    return ndcg_of(scores, fold.grades, fold.qid, task.settings.metric_k), fitted.n_rounds


def _build_fold(ranker: Ranker, corpus: CorpusArrays, fold: int, truth: Truth, n_threads: int) -> _Fold:
    rows = corpus.trainable(truth)
    # A row's weight tells how much the clicks know about it; a person's grade needs no such caution.
    train = corpus.ranking_data(rows & (corpus.fold != fold), truth, weighted=truth == "clicks")
    valid = corpus.ranking_data(rows & (corpus.fold == fold), truth, weighted=False)
    prepared = ranker.prepare(train, n_threads=n_threads)
    return _Fold(
        train=prepared,
        valid=ranker.prepare(valid, reference=prepared, n_threads=n_threads),
        features=valid.features,
        grades=valid.label,
        qid=valid.qid,
        n_bytes=train.features.nbytes + valid.features.nbytes,
    )


def _train(task: FinalTask) -> FinalResult:
    ranker: Ranker = plugins.create("rankers", task.ranker)
    n_threads = task.settings.n_threads
    corpus = _arrays(task.names)
    data = corpus.ranking_data(corpus.trainable(task.truth), task.truth, weighted=task.truth == "clicks")
    prepared = ranker.prepare(data, n_threads=n_threads)
    fitted = ranker.fit(prepared, None, params=task.params, settings=task.settings)
    _require_an_order(ranker.score(fitted.model, data.features, n_threads=n_threads), data.qid)
    sample = sample_vectors(_local(task.names), task.n_samples)
    scores = ranker.score(fitted.model, sample.features, n_threads=n_threads)
    return FinalResult(task.corpus, task.truth, fitted, sample, scores)


def _arrays(names: tuple[str, ...]) -> CorpusArrays:
    return _corpora.get(names, lambda: read_corpus(_local(names)))


def _local(names: tuple[str, ...]) -> list[str]:
    from pyspark import SparkFiles

    return [SparkFiles.get(name) for name in names]


def _require_an_order(scores: NDArray[np.float32], qid: NDArray[np.int32]) -> None:
    """Refuse a ranker that orders no query: to publish it would be to replace an order by none.

    Args:
        scores: Of the rows that it was trained on, shape (n_rows,).
        qid: Ascending group of each row, shape (n_rows,).

    Raises:
        DataError: All documents of each query have the same score.
    """
    starts = np.flatnonzero(np.r_[True, qid[1:] != qid[:-1]])
    if scores.size and (np.maximum.reduceat(scores, starts) == np.minimum.reduceat(scores, starts)).all():
        raise DataError(
            "the trained ranker gives all documents of each query the same score: the features do not tell them apart",
            hint="See features_report.json: do the features differ between a query's documents? Add features that do, "
            "or judge more queries.",
        )
