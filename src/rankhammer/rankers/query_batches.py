"""Rows in batches that end where a query ends, in memory or in files: what is trained on need not fit into memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import DataError
from rankhammer.rankers.base import Batches, RankingData

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from xgboost import DMatrix, QuantileDMatrix

BATCH_ROWS = 1 << 18
"""Rows a batch, as far as the last query ends. The histogram bins of weighted rows depend on it, and so results do: it
must not depend on how much memory there is."""
_ARRAYS = ("features", "label", "qid", "weight", "position")


def batch_starts(qid: NDArray[np.int32], max_rows: int = BATCH_ROWS) -> list[int]:
    """Return where batches of at most so many rows begin; a query with more rows is a batch by itself.

    Args:
        qid: Ascending group ids, shape (n_rows,). Rows behind the last start may go on in later rows.
        max_rows: 1 or more.
    """
    changes = np.flatnonzero(np.diff(qid)) + 1
    starts = [0]
    while len(qid) - starts[-1] > max_rows:
        place = int(np.searchsorted(changes, starts[-1] + max_rows, side="right"))
        if place and changes[place - 1] > starts[-1]:
            starts.append(int(changes[place - 1]))
        elif place < len(changes):
            starts.append(int(changes[place]))
        else:
            break
    return starts


@dataclass(frozen=True)
class Slices:
    """Rows in memory as batches; nothing is copied.

    Args:
        data: At least one row.
        max_rows: Rows of a batch.
    """

    data: RankingData
    max_rows: int = BATCH_ROWS

    @cached_property
    def _ends(self) -> list[int]:
        return [*batch_starts(self.data.qid, self.max_rows), len(self.data.qid)]

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __getitem__(self, place: int) -> RankingData:
        return _rows(self.data, slice(self._ends[place], self._ends[place + 1]))


@dataclass(frozen=True)
class BatchFiles:
    """Batches in files of a folder, which are mapped into memory as they are needed.

    Args:
        folder: Whose files they are.
        n_batches: How many.
        n_rows: Of all of them.
        n_queries: Of all of them.
        feature_names: In column order.
    """

    folder: str
    n_batches: int
    n_rows: int
    n_queries: int
    feature_names: tuple[str, ...] = ()

    def __len__(self) -> int:
        return self.n_batches

    def __getitem__(self, place: int) -> RankingData:
        if not 0 <= place < self.n_batches:
            raise IndexError(place)
        found = {name: Path(self.folder, f"{place}.{name}.npy") for name in _ARRAYS}
        arrays: dict[str, Any] = {
            name: np.load(path, mmap_mode="r") for name, path in found.items() if name != "position" or path.exists()
        }
        return RankingData(**arrays, feature_names=self.feature_names)


class BatchWriter:
    """Writes a stream of rows, sorted by query, into files: the batches that `Slices` would make of all of them.

    Args:
        folder: Made where it is not there.
        max_rows: Rows of a batch.
    """

    def __init__(self, folder: Path, max_rows: int = BATCH_ROWS) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._max_rows = max_rows
        self._held: list[RankingData] = []
        self._names: tuple[str, ...] = ()
        self._n_batches = self._n_rows = self._n_queries = 0

    def add(self, part: RankingData) -> None:
        """Take the next rows, of which the last query may go on in those after them.

        Raises:
            DataError: The rows are not sorted by query.
        """
        if not len(part.qid):
            return
        self._held.append(part)
        if sum(len(one.qid) for one in self._held) > self._max_rows:
            joined = _joined(self._held)
            starts = batch_starts(joined.qid, self._max_rows)
            for first, end in pairwise(starts):
                self._write(_rows(joined, slice(first, end)))
            self._held = [_rows(joined, slice(starts[-1], None))]

    def finish(self) -> BatchFiles:
        """Write what is left, and return all batches."""
        if self._held:
            self._write(_joined(self._held))
            self._held = []
        return BatchFiles(str(self._folder), self._n_batches, self._n_rows, self._n_queries, self._names)

    def _write(self, batch: RankingData) -> None:
        for name in _ARRAYS:
            values = getattr(batch, name)
            if values is not None:
                np.save(self._folder / f"{self._n_batches}.{name}.npy", values)
        self._n_batches, self._names = self._n_batches + 1, batch.feature_names
        self._n_rows += len(batch.qid)
        self._n_queries += count_queries(batch.qid)


def count_queries(qid: NDArray[np.int32]) -> int:
    """Return the number of groups in ascending ids."""
    return int(np.count_nonzero(np.diff(qid))) + 1 if len(qid) else 0


def bin_batches(
    batches: Batches,
    fields_of: Callable[[RankingData], dict[str, Any]],
    *,
    max_bin: int,
    reference: QuantileDMatrix | None,
    n_threads: int,
    cache: Path | None = None,
) -> Any:
    """Put batches into XGBoost's histogram bins; the same bytes of a booster come of them in memory and on disk.

    Args:
        batches: Whole queries each.
        fields_of: Turns a batch into what XGBoost's DataIter takes: data, label, qid, weight and names.
        max_bin: Bins a feature.
        reference: The training rows whose bins these use.
        n_threads: Threads to use.
        cache: Folder that the bins stay in while they are used; None: memory.

    Returns:
        A QuantileDMatrix, or an ExtMemQuantileDMatrix with a cache.

    Raises:
        DataError: XGBoost sees another number of queries than the rows have: one that is cut by the end of a batch
            silently becomes two.
    """
    from rankhammer.light_xgboost import xgb

    class _Iterator(xgb.DataIter):
        def __init__(self) -> None:
            self._place = 0
            super().__init__(cache_prefix=str(cache / "bins") if cache else None)

        def next(self, input_data: Callable[..., Any]) -> bool:
            if self._place == len(batches):
                return False
            input_data(**fields_of(batches[self._place]))
            self._place += 1
            return True

        def reset(self) -> None:
            self._place = 0

    if not len(batches):
        # One of several tasks may have no validation rows; the others wait for it then.
        return xgb.QuantileDMatrix(np.empty((0, 0), np.float32), ref=reference, max_bin=max_bin, nthread=n_threads)
    kind = xgb.ExtMemQuantileDMatrix if cache else xgb.QuantileDMatrix
    matrix: Any = kind(_Iterator(), missing=np.nan, max_bin=max_bin, ref=reference, nthread=n_threads)
    require_groups(matrix, _count_all(batches))
    return matrix


def _count_all(batches: Batches) -> int:
    """Count queries; one whose rows stand in two batches is one."""
    n_queries, last = 0, None
    for place in range(len(batches)):
        qid = batches[place].qid
        n_queries += count_queries(qid) - int(last is not None and qid[0] == last)
        last = qid[-1]
    return n_queries


def require_groups(matrix: DMatrix, n_queries: int) -> None:
    """Check that XGBoost sees as many groups as there are queries.

    Raises:
        DataError: It does not.
    """
    found = max(len(matrix.get_uint_info("group_ptr")) - 1, 0)
    if found != n_queries:
        raise DataError(
            f"XGBoost sees {found} queries in rows of {n_queries}: one was cut by the end of a batch.",
            hint="Rows of a training matrix have to be sorted by qid; run the training stage's first node again.",
            found=found,
            expected=n_queries,
        )


def _rows(data: RankingData, rows: slice) -> RankingData:
    position = None if data.position is None else data.position[rows]
    label, qid, weight = data.label[rows], data.qid[rows], data.weight[rows]
    return RankingData(data.features[rows], label, qid, weight, data.feature_names, position)


def _joined(parts: list[RankingData]) -> RankingData:
    qid = np.concatenate([part.qid for part in parts])
    if (np.diff(qid) < 0).any():
        raise DataError(
            "The rows of a training matrix are not sorted by query.",
            hint="Run the training stage's first node again: it writes them sorted.",
        )
    if len(parts) == 1:
        return parts[0]
    positions = [part.position for part in parts if part.position is not None]
    return RankingData(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.label for part in parts]),
        qid,
        np.concatenate([part.weight for part in parts]),
        parts[0].feature_names,
        np.concatenate(positions) if positions else None,
    )
