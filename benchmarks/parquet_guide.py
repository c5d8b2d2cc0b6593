"""The figures of docs/doctor/guide.md about files, types and nesting: JSON lines. Needs no JVM.

python benchmarks/parquet_guide.py [--rows 400000]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

N_FEATURES = 30
START = 1_700_000_000


def main() -> None:
    """Write tables in several ways, and say what they take."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=400_000)
    given = parser.parse_args()
    typed = clicks(given.rows)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = [of_files(folder, typed, n) for n in (4, 800)]
        found += [of_types(folder, kind, table) for kind, table in (("typed", typed), ("text", as_text(typed)))]
        found += [of_nesting(folder, kind, given.rows // 4) for kind in ("struct", "map")]
    for figures in found:
        print(json.dumps({"benchmark": "parquet", **figures}))


def clicks(rows: int) -> pa.Table:
    """Make rows as of a click log: a query, a document, a position, a time."""
    ids = np.arange(rows)
    queries = [f"query {one % 5000}" for one in ids]
    places = (ids % 20).astype("int32")
    return pa.table({"query": queries, "doc": ids * 2654435761 % 100_000, "position": places, "time": START + ids})


def as_text(table: pa.Table) -> pa.Table:
    """Return a table with each column as text."""
    return pa.table({name: table[name].cast(pa.string()) for name in table.column_names})


def of_files(folder: Path, table: pa.Table, n: int) -> dict[str, object]:
    """Read the same rows out of few and of many files; seconds of the processor, the shortest of three."""
    files, seconds = write(folder / f"files{n}", table, n), []
    for _ in range(3):
        began = time.process_time()
        for file in files:
            pq.read_table(file)
        seconds.append(time.process_time() - began)
    return {"files": n, "bytes": sum(file.stat().st_size for file in files), "cpu_seconds": round(min(seconds), 2)}


def of_types(folder: Path, kind: str, table: pa.Table) -> dict[str, object]:
    """Count the rows that a filter on the first hundredth of the time reads: whole row groups, by their statistics."""
    files, limit, rows = write(folder / kind, table, 2, row_group_size=20_000), START + len(table) // 100, 0
    for file in files:
        groups = pq.ParquetFile(file).metadata
        for n in range(groups.num_row_groups):
            lowest = groups.row_group(n).column(3).statistics.min
            # Bounds of texts say nothing about the numbers in them.
            rows += groups.row_group(n).num_rows if isinstance(lowest, str) or lowest < limit else 0
    n_bytes = sum(file.stat().st_size for file in files)
    return {"columns": kind, "bytes": n_bytes, "memory": table.nbytes, "rows_read": rows}


def of_nesting(folder: Path, kind: str, rows: int) -> dict[str, object]:
    """Count the bytes that one of thirty features takes to be read."""
    names = [f"f{n}" for n in range(N_FEATURES)]
    values = [np.random.default_rng(n).integers(0, 1000, rows) / 1000 for n in range(N_FEATURES)]
    if kind == "struct":
        features = pa.StructArray.from_arrays([pa.array(one) for one in values], names)
    else:
        ends = np.arange(0, N_FEATURES * rows + 1, N_FEATURES, dtype="int32")
        keys = pa.array(np.tile(names, rows))
        features = pa.MapArray.from_arrays(ends, keys, pa.array(np.stack(values, 1).ravel()))
    (file,) = write(folder / f"nested-{kind}", pa.table({"id": np.arange(rows), "features": features}), 1)
    about = pq.ParquetFile(file).metadata
    wanted = "features.f7" if kind == "struct" else "features."
    columns = [about.row_group(g).column(c) for g in range(about.num_row_groups) for c in range(about.num_columns)]
    read = sum(one.total_compressed_size for one in columns if one.path_in_schema.startswith(wanted))
    return {"features": kind, "bytes": file.stat().st_size, "bytes_of_one": read}


def write(folder: Path, table: pa.Table, n: int, **options: int) -> list[Path]:
    """Write a table in n files of as many rows each, and return them."""
    folder.mkdir()
    step, files = len(table) // n, [folder / f"{number:04}.parquet" for number in range(n)]
    for number, file in enumerate(files):
        pq.write_table(table.slice(number * step, step), file, **options)
    return files


if __name__ == "__main__":
    main()
