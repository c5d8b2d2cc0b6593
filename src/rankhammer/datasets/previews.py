"""What kedro-viz shows of tables, folders and reports: small values, rounded, without a Spark session."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer import plot_style
from rankhammer.storage.base import local_path, split_scheme

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Table = dict[str, list[Any]]

DIGITS = 4
MAX_TEXT = 60
MAX_FILES = 200
"""Of a table; beyond them its rows are not counted, as that reads the end of each file."""
SYSTEMS = {system: name for system, (name, _) in plot_style.SYSTEMS.items()}
"""System to its name in the closing table, in the order of that table."""
_UNITS = ("B", "kB", "MB", "GB", "TB")
_HEADLINE = ("truth", "differences", "oracle_share")


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """Arrange rows as kedro-viz takes a table."""
    data = [list(row) for row in rows]
    return {"index": list(range(len(data))), "columns": list(columns), "data": data}


def of_table(uri: str, *, nrows: int) -> Table:
    """Show how many rows, columns, files and bytes a folder of Parquet files has, and below that its first rows.

    Args:
        uri: The folder. One on a cluster is not opened: that would start Spark.
        nrows: Rows to show.
    """
    if not _is_local(uri):
        return _message(f"{uri} is on a cluster; `rankhammer handoffs --env=...` counts its rows.")
    files = _data_files(uri)
    if not files and Path(local_path(uri), "_columns.json").exists():
        return _message(f"{uri} was written without a row.")
    if not files:
        return _message(f"{uri} has no rows yet: `kedro run` makes it.")
    found, sizes = _opened(uri, files), _sizes(files, uri)
    names = sorted(found.schema.names, key=lambda name: name != "corpus")
    shown = [[cell(row[name]) for name in names] for row in found.head(nrows).to_pylist()]
    counted = f"{sizes['rows']:,} rows in all" if "rows" in sizes else "in all"
    facts = [counted, f"{len(names)} columns", f"{len(files)} files", readable_bytes(sizes["file_size"])]
    return table(names, [(facts + [""] * len(names))[: len(names)], *shown])


def sizes_of_table(uri: str) -> dict[str, int] | None:
    """Return what kedro-viz calls a dataset's statistics: rows, columns and bytes; None where there is no local table.

    Args:
        uri: The folder.
    """
    files = _data_files(uri) if _is_local(uri) else []
    return _sizes(files, uri) if files else None


def of_files(uri: str) -> Table:
    """List a local folder's files with their sizes."""
    if not _is_local(uri):
        return _message(f"{uri} is on a cluster.")
    root, files = Path(local_path(uri)), _data_files(uri)
    return table(
        ("file", "size"), [(str(file.relative_to(root)), readable_bytes(file.stat().st_size)) for file in files]
    )


def of_report(report: Any) -> str:
    """Write a report as JSON for a person: the headline metric first, then single values, then lists and groups."""
    if not isinstance(report, dict):
        return json.dumps(_arranged(report, None))
    metric, headline = report.get("metric"), _headlines(report)
    return json.dumps(({"headline": headline} if headline else {}) | _arranged(report, metric))


def of_runs(records: Iterable[Mapping[str, Any]]) -> Table:
    """List runs, as `rankhammer runs` does.

    Args:
        records: Of the history, the newest first.
    """
    columns = ("run", "ended (UTC)", "state", "seconds", "stages", "metric", "ranker")
    return table(columns, [_run(record) for record in records])


def rounded(value: Any) -> Any:
    """Round a number to four significant digits; anything else stays."""
    if not isinstance(value, float):
        return value
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    return float(f"{value:.{DIGITS}g}")


def cell(value: Any) -> Any:
    """Make a value fit into a cell: numbers are rounded, lists and structs become short text (clicks: `..x.`)."""
    if isinstance(value, list) and value and all(isinstance(part, bool) for part in value):
        value = "".join("x" if part else "." for part in value)
    if isinstance(value, dict | list):
        value = json.dumps(_rounded_within(value), default=str)
    elif not isinstance(value, str | int | float | bool | None):
        value = str(value)
    if isinstance(value, str):
        return value if len(value) <= MAX_TEXT else f"{value[: MAX_TEXT - 3]}..."
    return rounded(value)


def readable_bytes(size: float) -> str:
    """Write a size with its unit, as in `2.3 MB`."""
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} {_UNITS[-1]}"


def _opened(uri: str, files: Sequence[Path]) -> Any:
    from pyarrow import dataset

    return dataset.dataset([str(file) for file in files], format="parquet", partitioning=_partitioning(uri))


def _sizes(files: Sequence[Path], uri: str) -> dict[str, int]:
    found = _opened(uri, files)
    rows = {"rows": found.count_rows()} if len(files) <= MAX_FILES else {}
    return {**rows, "columns": len(found.schema.names), "file_size": sum(file.stat().st_size for file in files)}


def _rounded_within(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded_within(part) for key, part in value.items()}
    return [_rounded_within(part) for part in value] if isinstance(value, list) else rounded(value)


def _arranged(value: Any, metric: str | None) -> Any:
    if isinstance(value, dict):
        if {"mean", "lower", "upper"} <= value.keys():
            return _interval(value)
        return {key: _arranged(value[key], metric) for key in sorted(value, key=lambda key: _place(key, value, metric))}
    return [_arranged(part, metric) for part in value] if isinstance(value, list) else rounded(value)


def _place(key: str, within: Mapping[str, Any], metric: str | None) -> tuple[int, int]:
    """Order keys; those of one rank keep the order that they have."""
    if key == metric:
        return 0, 0
    if key in SYSTEMS and isinstance(within[key], dict):
        return 1, [*SYSTEMS].index(key)
    if key in _HEADLINE:
        return 2, _HEADLINE.index(key)
    return (4 if isinstance(within[key], dict | list) else 3), 0


def _headlines(report: Mapping[str, Any]) -> dict[str, str]:
    """Say in one line a corpus how each system ranks: it is seen before anything is unfolded."""
    metric, corpora = report.get("metric"), report.get("corpora") or {}
    measured = {corpus: facts[metric] for corpus, facts in corpora.items() if isinstance(facts.get(metric), dict)}
    return {
        corpus: f"{metric}: " + "; ".join(f"{SYSTEMS[name]} {_interval(of[name])}" for name in SYSTEMS if name in of)
        for corpus, of in measured.items()
    }


def _interval(value: Mapping[str, Any]) -> str:
    if value["mean"] is None:
        return "not measured"
    reach = "no interval" if value["lower"] is None else f"{value['lower']:.3f} to {value['upper']:.3f}"
    n_queries = f", {value['n_queries']} queries" if "n_queries" in value else ""
    return f"{value['mean']:.3f} ({reach}{n_queries})"


def _run(record: Mapping[str, Any]) -> list[Any]:
    metric, training = record.get("metric"), (record.get("figures") or {}).get("training", {})
    means = {corpus: ((facts.get(metric) or {}).get("ranker") or {}).get("mean") for corpus, facts in training.items()}
    measured = ", ".join(f"{corpus} {mean:.3f}" for corpus, mean in means.items() if mean is not None)
    ended = str(record.get("ended", ""))[:16].replace("T", " ")
    stages = ", ".join(record.get("stages") or ())
    return [
        record["number"],
        ended,
        record.get("state"),
        rounded(record.get("total_seconds")),
        stages,
        metric,
        measured,
    ]


def _message(text: str) -> Table:
    return table(("preview",), [(text,)])


def _is_local(uri: str) -> bool:
    return split_scheme(uri)[0] in ("", "file:", "file://")


def _data_files(uri: str) -> list[Path]:
    root = Path(local_path(uri))
    found = (file for file in root.rglob("*") if file.is_file())
    return sorted(file for file in found if not file.name.startswith(("_", ".")))


def _partitioning(uri: str) -> Any:
    """Make folders such as corpus=001 a column of text."""
    import pyarrow as pa
    from pyarrow import dataset

    keys = sorted({folder.name.partition("=")[0] for folder in Path(local_path(uri)).glob("*=*")})
    return dataset.partitioning(pa.schema([(key, pa.string()) for key in keys]), flavor="hive") if keys else None
