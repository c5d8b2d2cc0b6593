"""What an environment's tables are in Glue and Hive: its hand-offs, reports, and what jobs of its own have written."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rankhammer.datasets.vouched_files import COLUMNS
from rankhammer.digests import hex_digest
from rankhammer.emr.clients import Clients, translated
from rankhammer.errors import ConfigError
from rankhammer.runs import run_selection
from rankhammer.runs.execute import open_to_print, session_of_run
from rankhammer.runs.optional_settings import optional
from rankhammer.runs.table_queries import tables_of
from rankhammer.sql_tables import athena, glue, hive, report_rows
from rankhammer.sql_tables.athena import KeptQuery
from rankhammer.sql_tables.column_types import HIVE, columns
from rankhammer.sql_tables.folders import finished, partitions
from rankhammer.sql_tables.glue import CatalogEntry
from rankhammer.sql_tables.settings import TablesSettings, read_settings
from rankhammer.storage.base import local_path, storage_for
from rankhammer.storage.publication import follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rankhammer.runs.table_queries import CatalogTable

_JSON, _CSV = (f"rankhammer.datasets.reports.{name}" for name in ("ReportDataset", "ReportTableDataset"))


@dataclass
class TableCatalog:
    """What there is to announce.

    Args:
        settings: Of tables.yml.
        region: Of emr.yml; None where the environment has none.
        entries: Tables that are finished.
        left_out: Name of a table to why it is not among them.
        reports: Name to content.
        reports_folder: Where the table of their values is written.
        location: Turns a folder into its URI, and refuses what the catalog cannot reach.
    """

    settings: TablesSettings
    region: str | None
    entries: list[CatalogEntry] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    reports: dict[str, Any] = field(default_factory=dict)
    reports_folder: str = ""
    location: Callable[[str], str] = glue.s3_uri

    @property
    def queries(self) -> list[KeptQuery]:
        """Queries of all tables that are there."""
        names = {entry.name for entry in self.entries}
        found = [query for query in athena.QUERIES if names.issuperset(query.tables)]
        for name, table in self.settings.declared.items():
            found += [KeptQuery(f"{name}: {title}", sql, (name,)) for title, sql in table.queries.items()]
        return found


def read(env: str | None, run: str | None, location: Callable[[str], str] = glue.s3_uri) -> TableCatalog:
    """Look at all tables of an environment.

    Args:
        env: Kedro environment; None for the default one.
        run: Id of the run, where runs have ids; None for the newest that `train` can go on with.
        location: Of the catalog: `glue.s3_uri` or `hive.location`.

    Raises:
        ConfigError: A setting is wrong, or a table is not where the catalog can reach it.
    """
    session = session_of_run(env, run, lambda: run_selection.needed_by(["train"], {}))
    with session:
        context = session.load_context()
        loader = context.config_loader
        # Before the catalog is made: Kedro takes the types out of the entries then.
        reports = _report_paths(loader["catalog"])
        catalog = context.catalog
        found = TableCatalog(read_settings(optional(loader, "tables")), optional(loader, "emr").get("region"))
        found.location = location
        for table in tables_of(catalog).values():
            _add_handoff(found, table)
        for name, declared in found.settings.declared.items():
            _add_declared(found, name, follow(declared.path), declared.columns, declared.title or "")
        found.reports = dict(_reports(reports))
        reporting = local_path(str(loader["globals"]["paths"]["reporting"]))
        root = "" if "://" in reporting or reporting.startswith("/") else f"{context.project_path}/"
        found.reports_folder = f"{root}{reporting}/{report_rows.NAME}"
    _add_reports(found)
    return found


def publish(found: TableCatalog, clients: Clients, say: Callable[[str, str, str], None]) -> None:
    """Announce the tables, and keep the queries.

    Args:
        found: What `read` returned.
        clients: Of the region.
        say: Called with a kind, a name and what was done.

    Raises:
        ConfigError, DataError, ClusterError: AWS refuses, or a table cannot be announced.
    """
    database = found.settings.database
    _write_reports(found)
    with translated(f"Tables of {database}"):
        for name, done in glue.publish(clients.client("glue"), database, found.entries):
            say("table", name, done)
    with translated("Queries of Athena"):
        kept = athena.publish(clients.client("athena"), database, found.settings.workgroup, found.queries)
        for title, done in kept:
            say("query", title, done)


def hive_statements(found: TableCatalog) -> str:
    """Write the statements that make the tables in Hive's metastore, and the values of reports where they say.

    Args:
        found: What `read` returned.

    Raises:
        ConfigError, DataError: A table cannot be written down, or there is none.
    """
    text = hive.statements(found.settings.database, found.entries)
    _write_reports(found)
    return text


def settings_of(env: str | None) -> tuple[TablesSettings, str | None]:
    """Read tables.yml, and the region of emr.yml.

    Args:
        env: Kedro environment; None for the default one.
    """
    session = open_to_print({"env": env, "conf_source": None, "params": {}})
    with session:
        loader = session.load_context().config_loader
        return read_settings(optional(loader, "tables")), optional(loader, "emr").get("region")


def clients_for(region: str | None) -> Clients:
    """Return clients of an environment's region.

    Raises:
        ConfigError: It names none.
    """
    if not region:
        hint = "Set it, as conf/emr does. Is --env the right one?"
        raise ConfigError("conf/<env>/emr.yml names no region.", hint=hint)
    return Clients(region)


def _add_handoff(found: TableCatalog, table: CatalogTable) -> None:
    if table.state != "finished":
        found.left_out[table.name] = table.fault
        return
    storage = storage_for(table.path)
    # Before anything is read: what the catalog cannot reach is refused.
    location = found.location(table.path)
    schema = columns(storage.read(f"{table.path}/{COLUMNS}"), HIVE)
    split = partitions(storage.sizes(table.path)) if table.has_partitions else {}
    own = {name: kind for name, kind in schema.items() if name not in split}
    found.entries.append(CatalogEntry(table.name, location, own, table.digest, split, "Hand-off of rankhammer."))


def _add_declared(found: TableCatalog, name: str, path: str, own: Mapping[str, str], title: str) -> None:
    location = found.location(path)
    folder = finished(storage_for(path), path.rstrip("/"))
    if folder is None:
        found.left_out[name] = "no job has written it, or one is writing it (there is no _SUCCESS)"
        return
    split = partitions(folder.files)
    kept = {column: kind for column, kind in own.items() if column not in split}
    found.entries.append(CatalogEntry(name, location, kept, folder.version, split, title))


def _report_paths(entries: Mapping[str, Any]) -> dict[str, tuple[str, bool]]:
    """Return the path of each report of a catalog, and whether it is JSON."""
    return {
        name: (local_path(str(entry["filepath"])), entry["type"] == _JSON)
        for name, entry in entries.items()
        if isinstance(entry, dict) and entry.get("type") in (_JSON, _CSV)
    }


def _reports(paths: Mapping[str, tuple[str, bool]]) -> Iterator[tuple[str, Any]]:
    """Yield the reports that are there."""
    for name, (path, is_json) in paths.items():
        content = _read(path)
        if content is not None:
            yield name, _parsed(content, is_json=is_json)


def _read(path: str) -> bytes | None:
    storage = storage_for(path)
    return storage.read(path) if storage.exists(path) else None


def _parsed(content: bytes, *, is_json: bool) -> Any:
    if is_json:
        return json.loads(content)
    return [
        {key: _number(value) for key, value in row.items()} for row in csv.DictReader(io.StringIO(content.decode()))
    ]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _add_reports(found: TableCatalog) -> None:
    if found.reports:
        version = hex_digest(report_rows.parquet(found.reports), 16)
        location = found.location(f"{found.reports_folder}/{version}")
        about = "Every value of every report of rankhammer."
        found.entries.append(CatalogEntry(report_rows.NAME, location, report_rows.COLUMNS, version, {}, about))


def _write_reports(found: TableCatalog) -> None:
    """Put the values where the table says that they are: another version has another folder."""
    version = next((entry.version for entry in found.entries if entry.name == report_rows.NAME), None)
    if version is None:
        return
    storage = storage_for(found.reports_folder)
    path = f"{found.reports_folder}/{version}/part-0.parquet"
    if not storage.exists(path):
        storage.write(path, report_rows.parquet(found.reports))
