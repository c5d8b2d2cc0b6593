"""SQL over the tables of an environment's catalog: which there are, and copies of those that lie elsewhere."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer import pipeline_registry
from rankhammer.datasets.table_dataset import TableDataset
from rankhammer.datasets.vouched_files import COLUMNS
from rankhammer.digests import hex_digest
from rankhammer.errors import DataError
from rankhammer.runs import run_selection
from rankhammer.runs.execute import session_of_run
from rankhammer.sql_tables import laptop
from rankhammer.sql_tables.folders import data_files
from rankhammer.sql_tables.laptop import Answer, ParquetTable
from rankhammer.storage.base import LocalStorage, local_path, storage_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rankhammer.storage.base import Storage

_BLOCK = 8 * 2**20
_MB = 2**20
_AGAIN = "`kedro run --only-missing-outputs` makes whatever is missing."


@dataclass(frozen=True)
class CatalogTable:
    """A table of the catalog.

    Args:
        name: In the catalog.
        path: Its folder.
        state: finished, missing or damaged.
        fault: What is wrong with it; empty where it is finished.
        digest: Changes when the table does.
        has_partitions: Whether columns stand in the folders' names.
    """

    name: str
    path: str
    state: str
    fault: str
    digest: str
    has_partitions: bool


def query(
    env: str | None, statement: str, *, run: str | None, most_mb: int, on_progress: Callable[[str], None]
) -> Answer:
    """Answer a statement from the tables of an environment.

    Args:
        env: Kedro environment; None for the default one.
        statement: SQL of DuckDB that reads.
        run: Id of the run, where runs have ids; None for the newest that has what is asked for.
        most_mb: Megabytes of a table that are copied to this machine at most.
        on_progress: Called with a line for each table that is copied.

    Raises:
        ConfigError: The statement cannot be run; the hint lists the tables.
        DataError: A table that it names is missing, damaged, or too large to be copied.
    """
    laptop.require_duckdb()
    found = catalog_tables(env, run=run, wanted=lambda names: laptop.mentions(statement, names))
    named = laptop.mentions(statement, list(found))
    for name in named:
        _require_finished(found[name])
    opened = {name: _opened(found[name], most_mb, on_progress) for name in named}
    finished = sorted(name for name, table in found.items() if table.state == "finished")
    return laptop.ask(statement, opened, known=finished)


def overview(env: str | None, *, run: str | None) -> list[dict[str, Any]]:
    """List the tables: name, state, path, and columns of those on this machine.

    Args:
        env: Kedro environment; None for the default one.
        run: As for `query`.
    """
    laptop.require_duckdb()
    found = catalog_tables(env, run=run, wanted=lambda _: [])
    return [_described(table) for _, table in sorted(found.items())]


def catalog_tables(
    env: str | None, *, run: str | None, wanted: Callable[[list[str]], list[str]]
) -> dict[str, CatalogTable]:
    """Find the tables of the catalog, those of a project's own stages included.

    Args:
        env: Kedro environment; None for the default one.
        run: As for `query`.
        wanted: Given the names of the line's hand-offs, those that the run has to have.
    """

    def needed() -> list[str]:
        made = sorted(pipeline_registry.register_pipelines()["__default__"].all_outputs())
        return wanted(made) or run_selection.needed_by(["train"], {})

    session = session_of_run(env, run, needed)
    with session:
        return tables_of(session.load_context().catalog)


def tables_of(catalog: Any) -> dict[str, CatalogTable]:
    """Find the tables of a catalog that is open, by name.

    Args:
        catalog: Kedro's.
    """
    sets = {name: catalog[name] for name in catalog if isinstance(catalog[name], TableDataset)}
    return {name: _looked_at(name, dataset) for name, dataset in sets.items() if _is_parquet(dataset)}


def _is_parquet(dataset: TableDataset) -> bool:
    return bool(dataset._describe()["file_format"] == "parquet")


def _looked_at(name: str, dataset: TableDataset) -> CatalogTable:
    about = dataset._describe()
    # With `versioned: true` the newest one.
    path = dataset._uri(dataset._get_load_path())
    handoff = dataset._handoff_at(path)
    recorded = handoff.recorded
    fault = "it is missing, or was not finished" if recorded is None else handoff.fault()
    state = "missing" if recorded is None else "damaged" if fault else "finished"
    has_partitions = bool((about["save_args"] or {}).get("partitionBy"))
    return CatalogTable(name, local_path(path), state, fault, recorded.digest if recorded else "", has_partitions)


def _require_finished(table: CatalogTable) -> None:
    if table.state != "finished":
        raise DataError(f"{table.name} at {table.path} cannot be read: {table.fault}.", hint=_AGAIN, name=table.name)


def _described(table: CatalogTable) -> dict[str, Any]:
    about = {"name": table.name, "state": table.state, "path": table.path, "fault": table.fault}
    if table.state != "finished" or "://" in table.path:
        return about | {"columns": None}
    return about | {"columns": laptop.describe(_opened(table, 0, lambda _: None))}


def _opened(table: CatalogTable, most_mb: int, on_progress: Callable[[str], None]) -> ParquetTable:
    storage = storage_for(table.path)
    folder = table.path
    sizes = storage.sizes(folder)
    names = data_files(sizes)
    if "://" in table.path:
        size_mb = sum(sizes[name] for name in names) / _MB
        if size_mb > most_mb:
            hint = f"--most-mb {size_mb:.0f} copies it; or ask where it lies, as Athena or Spark do."
            raise DataError(f"{table.name} has {size_mb:.0f} MB, and is not on this machine.", hint=hint)
        folder = str(_cache(table))
        wanted = {name: sizes[name] for name in [*names, COLUMNS] if name in sizes}
        _copy(storage, table.path, folder, wanted, lambda: on_progress(f"{table.name}: {size_mb:.0f} MB are copied"))
    schema = Path(folder, COLUMNS)
    known = schema.read_bytes() if schema.is_file() else None
    return ParquetTable(tuple(f"{folder}/{name}" for name in names), known, table.has_partitions)


def _cache(table: CatalogTable) -> Path:
    """Return where a copy lies: another version of the table has another place."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "rankhammer" / "sql" / hex_digest(table.path, 16)
    _forget_others(folder, table.digest)
    return folder / hex_digest(table.digest, 16)


def _forget_others(folder: Path, digest: str) -> None:
    """Keep one version of each table: copies are for this moment."""
    keep = hex_digest(digest, 16)
    for other in folder.iterdir() if folder.is_dir() else ():
        if other.name != keep:
            LocalStorage().delete(str(other))


def _copy(storage: Storage, source: str, target: str, sizes: Mapping[str, int], say: Callable[[], None]) -> None:
    local = LocalStorage()
    missing = [name for name, size in sizes.items() if _size(Path(target, name)) != size]
    if missing:
        Path(target).mkdir(parents=True, exist_ok=True, mode=0o700)
        say()
    for name in missing:
        local.write_parts(f"{target}/{name}", _parts(storage, f"{source}/{name}", sizes[name]))


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else -1


def _parts(storage: Storage, path: str, size: int) -> Iterator[bytes]:
    for start in range(0, size, _BLOCK):
        yield storage.read_range(path, start, _BLOCK)
