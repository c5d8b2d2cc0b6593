"""The rows of one fit, prepared for a ranker: in memory, or on disk where they do not fit there."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.errors import DataError
from rankhammer.rankers.base import LearnsFromBatches
from rankhammer.rankers.query_batches import BatchWriter, Slices
from rankhammer.training.matrix import stream_corpus

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.rankers import Ranker
    from rankhammer.rankers.base import Batches
    from rankhammer.rankers.query_batches import BatchFiles
    from rankhammer.training.matrix import CorpusArrays, Truth

ROW_BYTES = 64
"""Of a row without its features: label, query, weight, gradients and scores."""


@dataclass(frozen=True)
class FitRows:
    """Rows that a model is trained on, and those that it is measured by.

    Args:
        train: As the ranker prepared them.
        valid: The same for the validation fold; None: there is none.
        measured: The rows of the validation fold as they are, or those that were trained on where there is none.
        n_bytes: About how much memory they take.
        folder: What lies on disk; it is removed with this object.
    """

    train: Any
    valid: Any | None
    measured: Batches
    n_bytes: int
    folder: tempfile.TemporaryDirectory[str] | None = field(default=None, compare=False)


def rows_in_memory(
    ranker: Ranker, corpus: CorpusArrays, fold: int | None, truth: Truth, *, n_threads: int = 1
) -> FitRows:
    """Prepare the rows of one fit.

    Args:
        ranker: That trains.
        corpus: All rows.
        fold: The validation fold; None: all trainable rows are trained on.
        truth: Whose grades to learn.
        n_threads: Threads to use.
    """
    train = corpus.rows_of(fold, truth, is_validation=False)
    prepared = ranker.prepare(train, n_threads=n_threads)
    if fold is None:
        return FitRows(prepared, None, Slices(train), train.features.nbytes)
    valid = corpus.rows_of(fold, truth, is_validation=True)
    return FitRows(
        train=prepared,
        valid=ranker.prepare(valid, reference=prepared, n_threads=n_threads),
        measured=Slices(valid),
        n_bytes=train.features.nbytes + valid.features.nbytes,
    )


def rows_on_disk(
    ranker: Ranker, paths: Sequence[str], fold: int | None, truth: Truth, *, n_threads: int = 1
) -> FitRows:
    """Prepare the rows of one fit without ever having all of them in memory; models come out the same.

    They are cut into batches on this machine's disk (4 bytes a value) and binned from there (1 byte a value, on disk,
    too); batches of the training folds are removed then, unless the ranker reads them again (`reads_again`).

    Args:
        ranker: That trains.
        paths: Local files of the corpus.
        fold: See `rows_in_memory`.
        truth: See `rows_in_memory`.
        n_threads: Threads to use.

    Raises:
        DataError: The ranker needs its rows in memory.
    """
    learns = require_batches(ranker)
    folder = tempfile.TemporaryDirectory(prefix="rankhammer-rows-", dir=disk())
    train, valid = _written(paths, fold, truth, Path(folder.name))
    prepared = learns.prepare_batches(train, n_threads=n_threads, cache=_made(folder.name, "train-bins"))
    if fold is None:
        return FitRows(prepared, None, train, ROW_BYTES * train.n_rows, folder)
    if not getattr(ranker, "reads_again", False):
        for file in Path(train.folder).iterdir():
            file.unlink()
    bins = _made(folder.name, "valid-bins")
    checked = learns.prepare_batches(valid, reference=prepared, n_threads=n_threads, cache=bins)
    return FitRows(prepared, checked, valid, ROW_BYTES * (train.n_rows + valid.n_rows), folder)


def require_batches(ranker: Ranker) -> LearnsFromBatches:
    """Return a ranker that can train on rows which are not in memory at once.

    Raises:
        DataError: It cannot.
    """
    if isinstance(ranker, LearnsFromBatches):
        return ranker
    raise DataError(
        f"{type(ranker).__name__} needs all rows in memory, and there is too little for them.",
        hint="Take xgboost or neural, give tasks more memory (spark.executor.memoryOverhead), or sample queries.",
    )


def _written(paths: Sequence[str], fold: int | None, truth: Truth, folder: Path) -> tuple[BatchFiles, BatchFiles]:
    """Write the rows that are trained on, and those of the validation fold, in one pass."""
    train, valid = (BatchWriter(folder / side) for side in ("train", "valid"))
    for part in stream_corpus(paths):
        train.add(part.rows_of(fold, truth, is_validation=False))
        if fold is not None:
            valid.add(part.rows_of(fold, truth, is_validation=True))
    return train.finish(), valid.finish()


def _made(folder: str, name: str) -> Path:
    made = Path(folder, name)
    made.mkdir()
    return made


def disk() -> str | None:
    """Return Spark's own folder on this machine, which is removed with the executor, or None outside of Spark."""
    from pyspark import SparkFiles

    found = Path(SparkFiles.getRootDirectory())
    return str(found) if found.is_dir() else None
