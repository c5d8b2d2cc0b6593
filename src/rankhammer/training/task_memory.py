"""How much memory a training task takes and has: worked out before it starts, in numbers that a message can show."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rankhammer.errors import CorpusFailure, stop_if_all_failed
from rankhammer.training.matrix import count_values
from rankhammer.training.slots import count_slots
from rankhammer.training.staging import stage_matrix

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark import SparkConf, SparkContext
    from pyspark.sql import DataFrame

    from rankhammer.training.staging import StagedCorpus, Workers

OnDisk = Literal["auto", "always", "never"]
MB = 1 << 20
PYTHON_BYTES = 300 * MB
"""A worker with numpy, pandas, pyarrow and xgboost in it, before it holds data."""
VALUE_BYTES = 20
"""Of a feature value in memory, with the copies while rows and their bins are made: `benchmarks/large_corpus.py`
measures 21.6 for 5 million rows of 50 features, of which ROW_BYTES are 2.4."""
VALUE_BYTES_ON_DISK = 2
"""The same where rows and bins are mapped from disk, an estimate: bins that are read just now."""
ROW_BYTES = 120
"""Of a row beside its features: keys, label, weight, gradients and scores."""
BATCHES_BYTES = 400 * MB
"""Batches on their way to the disk."""
JVM_BYTES = 384 * MB
"""Of an executor's overhead that its JVM takes."""
_DEFAULT_FACTOR, _LEAST_OVERHEAD = 0.1, 384 * MB
_UNITS = {"": MB, "b": 1, "k": 1 << 10, "m": MB, "g": 1 << 30, "t": 1 << 40}
_SIZE = re.compile(r"(\d+)([bkmgt]?)b?")
_CGROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TaskMemory:
    """What one task has.

    Args:
        n_bytes: For its Python worker.
        arithmetic: How it was worked out.
    """

    n_bytes: int
    arithmetic: str


def needed(n_rows: int, n_features: int, *, on_disk: bool) -> tuple[int, str]:
    """Return the bytes that a task takes, and how they were worked out.

    Args:
        n_rows: Of the corpus.
        n_features: Of each row.
        on_disk: Whether rows and bins stay on disk.
    """
    of_value = VALUE_BYTES_ON_DISK if on_disk else VALUE_BYTES
    fixed = PYTHON_BYTES + (BATCHES_BYTES if on_disk else 0)
    n_bytes = fixed + n_rows * (n_features * of_value + ROW_BYTES)
    text = f"{fixed // MB} MB + {n_rows:,} rows x ({n_features} features x {of_value} bytes + {ROW_BYTES} bytes)"
    return n_bytes, f"{text} = {n_bytes // MB:,} MB"


def of_task(context: SparkContext) -> TaskMemory:
    """Return what a task has beside the JVM.

    Args:
        context: The session's.
    """
    conf = context.getConf()
    cores, cpus = int(conf.get("spark.executor.cores", "1") or 1), int(conf.get("spark.task.cpus", "1") or 1)
    tasks = max(1, cores // cpus)
    if limit := conf.get("spark.executor.pyspark.memory", ""):
        # Spark gives each worker its core's part.
        return TaskMemory(size(limit) // cores, f"spark.executor.pyspark.memory {limit} / {cores} cores")
    if (context.master or "").startswith("local["):
        tasks = max(1, count_slots(context))
        free = _free()
        return TaskMemory(free // tasks, f"{free // MB:,} MB free on this machine / {tasks} tasks at once")
    overhead = _overhead(conf)
    text = f"({overhead // MB:,} MB of spark.executor.memoryOverhead - {JVM_BYTES // MB} MB) / {tasks} tasks at once"
    return TaskMemory(max(0, overhead - JVM_BYTES) // tasks, text)


@dataclass(frozen=True)
class StagedMatrix:
    """The corpora of a training matrix that there is memory for.

    Args:
        corpora: Corpus to its files where every worker finds them.
        on_disk: Those that are trained from disk.
        failures: The corpora that there is too little memory for.
    """

    corpora: dict[str, StagedCorpus]
    on_disk: frozenset[str]
    failures: list[CorpusFailure]


def stage_within_memory(matrix: DataFrame, workers: Workers, rule: OnDisk) -> StagedMatrix:
    """Hand the files behind a stored training matrix to Spark's workers, as far as their memory goes.

    Args:
        matrix: See `staging.stage_matrix`.
        workers: See there.
        rule: See `decide`.

    Raises:
        DataError: The table is empty, or there is too little memory for all of its corpora.
    """
    staged = stage_matrix(matrix, workers)
    on_disk, failures = decide(staged, of_task(matrix.sparkSession.sparkContext), rule)
    stop_if_all_failed(failures, len(staged))
    failed = {failure.corpus for failure in failures}
    return StagedMatrix({name: staged[name] for name in staged if name not in failed}, on_disk, failures)


def decide(
    corpora: Mapping[str, StagedCorpus], has: TaskMemory, rule: OnDisk
) -> tuple[frozenset[str], list[CorpusFailure]]:
    """Decide which corpora are trained from disk, since a task has too little memory for their rows.

    Args:
        corpora: Corpus to its staged matrix; those that several tasks train together are left out.
        has: What a task has.
        rule: `auto`, or one way for all.

    Returns:
        The corpora to train from disk, and those for which there is too little memory.
    """
    on_disk, failures = set(), []
    for name, staged in corpora.items():
        if staged.distributed:
            continue
        n_rows, n_features = count_values(staged.paths)
        (memory, why), (disk, why_disk) = (needed(n_rows, n_features, on_disk=one) for one in (False, True))
        if rule == "always" or (rule == "auto" and memory > has.n_bytes):
            on_disk.add(name)
            logger.info("Corpus %s is trained from disk: %s in memory, a task has %s", name, why, _has(has))
        least, its_why = (disk, why_disk) if name in on_disk else (memory, why)
        if least > has.n_bytes:
            failures.append(_too_large(name, its_why, has, is_on_disk=name in on_disk))
    return frozenset(on_disk), failures


def _too_large(corpus: str, why: str, has: TaskMemory, *, is_on_disk: bool) -> CorpusFailure:
    where = "with its rows on disk" if is_on_disk else "with its rows in memory"
    more = "more memory (spark.executor.memoryOverhead) or several tasks a model (training.workers)"
    hint = f"Give tasks {more}." if is_on_disk else f"Set training.rows_on_disk: auto, or give tasks {more}."
    return CorpusFailure(corpus, "training", f"a task takes {why} {where}, and has {_has(has)}", hint)


def _has(has: TaskMemory) -> str:
    return f"{has.arithmetic} = {has.n_bytes // MB:,} MB"


def size(text: str) -> int:
    """Return the bytes of a size as Spark writes it; a plain number is in MB."""
    found = _SIZE.fullmatch(text.strip().lower())
    return int(found[1]) * _UNITS[found[2]] if found else 0


def _overhead(conf: SparkConf) -> int:
    if written := conf.get("spark.executor.memoryOverhead", ""):
        return size(written)
    factor = float(conf.get("spark.executor.memoryOverheadFactor", "") or _DEFAULT_FACTOR)
    return max(_LEAST_OVERHEAD, int(factor * size(conf.get("spark.executor.memory", "1g") or "1g")))


def _free() -> int:
    """Return what this machine, or this process's share of it, can still give."""
    limits = [int(text) for path in _CGROUPS if (text := _read(path)).isdigit()]
    available = re.search(r"MemAvailable:\s*(\d+) kB", _read("/proc/meminfo"))
    if available:
        limits.append(int(available[1]) * 1024)
    # Where no system says it, nothing is refused.
    return min(limits, default=1 << 62)


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except OSError:
        return ""
