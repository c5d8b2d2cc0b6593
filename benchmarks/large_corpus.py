"""Memory and time of one training task on a corpus of millions of rows: the folds of one trial, in one process.

    python benchmarks/large_corpus.py --rows 5000000                 # rows in memory
    python benchmarks/large_corpus.py --rows 27000000 --on-disk      # rows and bins on the worker's disk

Rows are generated: 50 features, grades 0 to 4 that follow ten of them, 25 documents a query, five folds. A process of
its own runs the folds as a Spark worker does (`training.worker.run_fold`), one after the other, and says what it took:
its largest resident memory, of which files that are mapped from disk are a part that the kernel may take back, and the
largest memory that is its own (`anonymous`); both less what it has before it holds data, and as bytes a feature value.
One JSON line. The file takes 4 bytes a value on disk.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyspark import SparkFiles

from rankhammer import schemas
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings
from rankhammer.training.search import Trial
from rankhammer.training.worker import FoldTask, run_fold

CORPUS, ROWS_A_QUERY, QUERIES_A_PART, N_FOLDS, N_TELLING = "main", 25, 20_000, 5, 10
KINDS = {"string": pa.string(), "int": pa.int32(), "double": pa.float64()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--folds", type=int, default=N_FOLDS, help="folds to run, of five")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--on-disk", action="store_true")
    parser.add_argument("--of", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.of:
        print(json.dumps(run_folds(given)))
        return
    with tempfile.TemporaryDirectory(prefix="rankhammer-large-") as folder:
        path = Path(folder) / "corpus.parquet"
        write(path, given.rows, given.features)
        command = [sys.executable, __file__, *sys.argv[1:], f"--of={path}"]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
    about = {"benchmark": "large_corpus", "rows": given.rows, "features": given.features, "on_disk": given.on_disk}
    print(json.dumps(about | json.loads(done.stdout)))


def write(path: Path, n_rows: int, n_features: int) -> None:
    """Write `schemas.TRAINING_MATRIX` of one corpus, some queries at a time."""
    n_queries = n_rows // ROWS_A_QUERY
    writer = None
    for first in range(0, n_queries, QUERIES_A_PART):
        table = part(first, min(QUERIES_A_PART, n_queries - first), n_features)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="none", use_dictionary=False)
        writer.write_table(table)
    if writer:
        writer.close()


def part(first: int, n_queries: int, n_features: int) -> pa.Table:
    """Make some queries; the same ones whatever else there is."""
    rng = np.random.default_rng([42, first])
    n = n_queries * ROWS_A_QUERY
    features = rng.standard_normal((n, n_features), dtype=np.float32)
    signal = features[:, :N_TELLING].sum(axis=1) + 3 * rng.standard_normal(n)
    qid = first + np.repeat(np.arange(n_queries, dtype=np.int32), ROWS_A_QUERY)
    text = pa.array([f"q{number:08}" for number in range(first, first + n_queries)]).take(pa.array(qid - first))
    values: dict[str, Any] = {
        "qid": qid,
        "query": text,
        "query_cluster_id": text,
        "doc_id": pa.array([f"d{number:04}" for number in range(ROWS_A_QUERY)] * n_queries),
        "split": pa.array(["train"] * n),
        "fold": (qid % N_FOLDS).astype(np.int32),
        "grade": np.digitize(signal, [2.0, 4.0, 6.0, 8.0]).astype(np.int32),
        "weight": np.ones(n),
        "reference_grade": pa.nulls(n, pa.int32()),
        "mean_position": np.tile(1.0 + np.arange(ROWS_A_QUERY), n_queries),
    }
    columns = {
        name: pa.array(values[name], KINDS[kind]) if isinstance(values[name], np.ndarray) else values[name]
        for name, kind in schemas.TRAINING_MATRIX.columns.items()
        if name in values
    }
    names = [f"f{number}" for number in range(n_features)]
    columns["features"] = pa.StructArray.from_arrays([pa.array(np.ascontiguousarray(one)) for one in features.T], names)
    return pa.table(columns)


@dataclass
class Watch:
    """Looks at this process's own memory ten times a second."""

    largest_kb: int = 0

    def start(self) -> None:
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self) -> None:
        while True:
            self.largest_kb = max(self.largest_kb, status("RssAnon"))
            time.sleep(0.1)


def status(name: str) -> int:
    """Return a figure of this process in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def run_folds(given: argparse.Namespace) -> dict[str, Any]:
    """Run the folds of one trial, and say what that took."""
    SparkFiles.get = staticmethod(lambda name: name)
    SparkFiles.getRootDirectory = staticmethod(lambda: str(given.of.parent))
    before, watch = status("VmRSS"), Watch()
    watch.start()
    settings = FitSettings(given.rounds, None, 10, given.threads, 42)
    trial = Trial(CORPUS, 0, {"max_depth": 6})
    seconds, values = [], []
    for fold in range(given.folds):
        task = FoldTask((str(given.of),), trial, fold, PluginSpec(name="xgboost"), settings, on_disk=given.on_disk)
        began = time.perf_counter()
        result = run_fold(task)
        seconds.append(round(time.perf_counter() - began, 1))
        if result.error:
            raise SystemExit(result.error)
        values.append(round(result.ndcg, 4))
    n_values = given.rows * given.features
    resident, own = status("VmHWM") - before, watch.largest_kb - before
    return {
        "rounds": given.rounds,
        "fold_s": seconds,
        "ndcg@10": values,
        "peak_mb": round(resident / 1024),
        "anonymous_mb": round(own / 1024),
        "bytes_a_value": round(1024 * resident / n_values, 1),
        "anonymous_bytes_a_value": round(1024 * own / n_values, 1),
    }


if __name__ == "__main__":
    main()
