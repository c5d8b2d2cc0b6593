"""What one of several tasks does that train a model together: it holds whole queries, and talks to the others."""

from __future__ import annotations

import json
import re
import socket
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer import plugins
from rankhammer.errors import DataError
from rankhammer.rankers.base import RankingData
from rankhammer.rankers.model_size import size_or_rounds
from rankhammer.rankers.query_batches import BatchWriter
from rankhammer.rankers.scoring import struct_to_matrix
from rankhammer.training.fit_rows import disk, require_batches
from rankhammer.training.worker import ndcg_of_batches, orders_something

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from pyspark import BarrierTaskContext

    from rankhammer.plugins import PluginSpec
    from rankhammer.rankers import FitSettings, Ranker
    from rankhammer.rankers.query_batches import BatchFiles
    from rankhammer.training.distributed_rows import Part

RESULT_SCHEMA = "place int, kind string, payload binary"
MODEL, NDCG, FACTS, ERROR = "model", "ndcg", "facts", "error"
_OF_OTHERS = re.compile(r"rabit|collective|socket|connection|tracker|timeout|broken pipe", re.IGNORECASE)
"""In the words of XGBoost where it lost touch with another task: what is tried again, unlike an error of its own."""


@dataclass(frozen=True)
class DistributedTask:
    """Train one model on the rows of all tasks.

    Args:
        ranker: Registered ranker and its options.
        params: Point of the search space.
        settings: Rounds, threads and seed.
        parts: What each task has to hold, in the order of partitions.
        has_valid: Whether some rows are validation rows.
        on_disk: Whether bins are kept on disk.
    """

    ranker: PluginSpec
    params: Mapping[str, Any]
    settings: FitSettings
    parts: tuple[Part, ...]
    has_valid: bool
    on_disk: bool = False

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Train with the other tasks of a barrier stage.

        Yields:
            RESULT_SCHEMA: the model, of the first task alone; NDCG of each of this task's validation queries; facts as
            JSON. An error of the ranker's own is a row, too, since to try it again would change nothing.
        """
        from pyspark import BarrierTaskContext

        context = BarrierTaskContext.get()
        place = context.partitionId()
        with tempfile.TemporaryDirectory(prefix="rankhammer-rows-", dir=disk()) as folder:
            ranker: Ranker = plugins.create("rankers", self.ranker)
            error, train, valid = self._spool(batches, place, Path(folder))
            # Nobody may wait for a task that has given up.
            errors = [found for found in context.allGather(error) if found]
            rows = {ERROR: errors[0].encode()} if errors else self._fit_together(context, ranker, train, valid)
            yield from (_row(place, kind, payload) for kind, payload in rows.items())

    def _spool(self, batches: Iterator[pa.RecordBatch], place: int, folder: Path) -> tuple[str, BatchFiles, BatchFiles]:
        """Write this task's rows into files of whole queries; return a fault instead of raising it."""
        writers = {is_valid: BatchWriter(folder / f"valid-{is_valid}") for is_valid in (False, True)}
        error = ""
        try:
            for batch in batches:
                for is_valid, writer in writers.items():
                    writer.add(_rows(batch, is_valid=is_valid))
        except DataError as exc:
            error = exc.message
        train, valid = (writers[is_valid].finish() for is_valid in (False, True))
        return error or self._fault(place, train, valid), train, valid

    def _fault(self, place: int, train: BatchFiles, valid: BatchFiles) -> str:
        """Say that a query was split: then some task has fewer or more rows than all of its queries have."""
        part = self.parts[place]
        found = (train.n_rows + valid.n_rows, train.n_queries + valid.n_queries)
        if found == (part.n_rows, part.n_queries):
            return ""
        return (
            f"task {place} of {len(self.parts)} has {found[0]} rows of {found[1]} queries, and its range of queries "
            f"has {part.n_rows} of {part.n_queries}: the rows of a query are in several tasks"
        )

    def _fit_together(
        self, context: BarrierTaskContext, ranker: Ranker, train: BatchFiles, valid: BatchFiles
    ) -> dict[str, bytes]:
        try:
            with _communicating(context):
                return self._fit(context.partitionId(), ranker, train, valid)
        except Exception as exc:
            if _OF_OTHERS.search(str(exc)):
                raise
            return {ERROR: f"{type(exc).__name__}: {exc}".partition("\nStack trace:")[0].encode()}

    def _fit(self, place: int, ranker: Ranker, train: BatchFiles, valid: BatchFiles) -> dict[str, bytes]:
        learns, n_threads = require_batches(ranker), self.settings.n_threads
        caches = [_made(train.folder, name) if self.on_disk else None for name in ("bins", "valid-bins")]
        binned = learns.prepare_batches(train, n_threads=n_threads, cache=caches[0])
        checked = None
        if self.has_valid:
            checked = learns.prepare_batches(valid, reference=binned, n_threads=n_threads, cache=caches[1])
        fitted = ranker.fit(binned, checked, params=self.params, settings=self.settings)
        measured = ndcg_of_batches(ranker, fitted.model, valid, self.settings)
        orders = orders_something(ranker, fitted.model, train, n_threads=n_threads)
        facts = {"n_rounds": fitted.n_rounds, "orders": orders, "by_round": list(fitted.by_round) if place == 0 else []}
        facts["model_size"] = size_or_rounds(fitted, ranker)
        rows = {NDCG: measured.astype(np.float64).tobytes(), FACTS: json.dumps(facts).encode()}
        return rows | ({MODEL: fitted.model} if place == 0 else {})


@contextmanager
def _communicating(context: BarrierTaskContext) -> Iterator[None]:
    """Let XGBoost talk to the other tasks of this attempt; the first one is whom they find each other by."""
    from xgboost.collective import CommunicatorContext

    place, n_tasks = context.partitionId(), len(context.getTaskInfos())
    message = json.dumps(_start_tracker(context, n_tasks)) if place == 0 else ""
    arguments = json.loads(context.allGather(message)[0])
    # Ranks in the order of partitions: sums of floating-point numbers come in one order.
    with CommunicatorContext(**arguments, dmlc_task_id=f"{place:08d}"):
        yield


def _start_tracker(context: BarrierTaskContext, n_tasks: int) -> dict[str, Any]:
    from xgboost.tracker import RabitTracker

    host = context.getTaskInfos()[0].address.rpartition(":")[0] or context.getTaskInfos()[0].address
    tracker = RabitTracker(n_workers=n_tasks, host_ip=socket.gethostbyname(host), sortby="task")
    tracker.start()
    Thread(target=tracker.wait_for, daemon=True).start()
    found: dict[str, Any] = tracker.worker_args()
    return found


def _rows(batch: pa.RecordBatch, *, is_valid: bool) -> RankingData:
    found = batch.filter(batch.column("is_valid") if is_valid else _not(batch.column("is_valid")))
    vectors = found.column("features")
    weight = found.column("weight").to_numpy(zero_copy_only=False)
    return RankingData(
        features=struct_to_matrix(vectors),
        label=found.column("label").to_numpy(zero_copy_only=False),
        qid=found.column("qid").to_numpy(zero_copy_only=False),
        # A validation metric counts each query once, as ours does.
        weight=np.ones(len(weight)) if is_valid else weight,
        feature_names=tuple(feature.name for feature in vectors.type),
    )


def _not(values: Any) -> Any:
    import pyarrow.compute as pc

    return pc.invert(values)


def _made(folder: str, name: str) -> Path:
    made = Path(folder, name)
    made.mkdir()
    return made


def _row(place: int, kind: str, payload: bytes) -> pa.RecordBatch:
    import pyarrow as pa

    schema = pa.schema([("place", pa.int32()), ("kind", pa.string()), ("payload", pa.binary())])
    return pa.RecordBatch.from_pylist([{"place": place, "kind": kind, "payload": payload}], schema=schema)
