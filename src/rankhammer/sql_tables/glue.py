"""Tables of AWS Glue for folders of Parquet files: each is replaced in one step, and none is ever dropped first."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError, DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_STAMP, _OURS = "rankhammer.version", "rankhammer"
_INPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
_OUTPUT = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"
_SERDE = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
CREATED, REPLACED, UNCHANGED = "created", "replaced", "unchanged"


@dataclass(frozen=True)
class CatalogEntry:
    """What a table of the catalog is.

    Args:
        name: Lower-case letters, digits and _.
        location: URI of the folder.
        columns: Name to Hive type, in order, without those of folders.
        version: Changes when the table's content does.
        partitions: Column that stands in the folders' names to its values; empty where there is none.
        comment: For people.
    """

    name: str
    location: str
    columns: Mapping[str, str]
    version: str
    partitions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    comment: str = ""


def table_input(entry: CatalogEntry) -> dict[str, Any]:
    """Return what Glue is told of a table.

    Which partitions there are stands in the table itself (partition projection): they change with it, in one step.

    Raises:
        DataError: A partition's value cannot be written down there.
    """
    location = s3_uri(entry.location)
    parameters = {"classification": "parquet", "EXTERNAL": "TRUE", _OURS: "true", _STAMP: entry.version}
    if entry.partitions:
        parameters |= _projected(entry, location)
    return {
        "Name": entry.name,
        "Description": entry.comment[:2048],
        "TableType": "EXTERNAL_TABLE",
        "Parameters": parameters,
        "PartitionKeys": [{"Name": name, "Type": "string"} for name in entry.partitions],
        "StorageDescriptor": {
            "Columns": [{"Name": name, "Type": kind} for name, kind in entry.columns.items()],
            "Location": location,
            "InputFormat": _INPUT,
            "OutputFormat": _OUTPUT,
            "SerdeInfo": {"SerializationLibrary": _SERDE, "Parameters": {"serialization.format": "1"}},
        },
    }


def publish(glue: Any, database: str, entries: Sequence[CatalogEntry]) -> Iterator[tuple[str, str]]:
    """Let a database have these tables, each as it is now; others stay as they are.

    Args:
        glue: Client.
        database: Is made where it is not there.
        entries: Its tables.

    Yields:
        Name of a table, and whether it was created, replaced or unchanged.

    Raises:
        ConfigError: A table of that name is somebody else's.
        DataError: A table cannot be written down; then nothing was changed.
    """
    wanted = [(entry, table_input(entry)) for entry in entries]
    known = {entry.name: _table(glue, database, entry.name) for entry in entries}
    for name, found in known.items():
        if found is not None and not _is_ours(found):
            hint = "Name another database: `database` in conf/<env>/tables.yml."
            raise ConfigError(f"Glue's table {database}.{name} was not made by rankhammer.", hint=hint)
    _require_database(glue, database)
    for entry, asked in wanted:
        yield entry.name, _put(glue, database, asked, known[entry.name])


def listed(glue: Any, database: str) -> list[dict[str, str]]:
    """List the tables that `publish` has made: name, location and version."""
    return [
        {
            "name": table["Name"],
            "location": table["StorageDescriptor"]["Location"],
            "version": table["Parameters"].get(_STAMP, ""),
        }
        for table in _tables(glue, database)
    ]


def remove(glue: Any, database: str) -> list[str]:
    """Remove the tables that `publish` has made, and the database where it is empty then; files stay.

    Returns:
        Their names.
    """
    names = [table["Name"] for table in _tables(glue, database)]
    for name in names:
        glue.delete_table(DatabaseName=database, Name=name)
    if _has_database(glue, database) and not glue.get_tables(DatabaseName=database)["TableList"]:
        glue.delete_database(Name=database)
    return names


def s3_uri(uri: str) -> str:
    """Return a folder's URI as Glue and Athena read it.

    Raises:
        ConfigError: It is not on S3.
    """
    scheme, _, rest = uri.partition("://")
    if scheme not in ("s3", "s3a", "s3n"):
        hint = "Tables of Glue are on S3: name an environment whose paths are, such as --env=emr."
        raise ConfigError(f"{uri} is not on S3.", hint=hint)
    return f"s3://{rest.rstrip('/')}/"


def _projected(entry: CatalogEntry, location: str) -> dict[str, str]:
    found = {"projection.enabled": "true"}
    for name, values in entry.partitions.items():
        wrong = [value for value in values if "," in value or "%" in value or not value]
        if wrong or not values:
            raise DataError(
                f"{entry.name}: {name} {(wrong or ['is empty, and'])[0]!r} cannot be a partition of Athena.",
                hint="Use corpora whose names have letters, digits, - and _, or read the table with `rankhammer sql`.",
            )
        found |= {f"projection.{name}.type": "enum", f"projection.{name}.values": ",".join(sorted(values))}
    places = "/".join(f"{name}=${{{name}}}" for name in entry.partitions)
    return {**found, "storage.location.template": f"{location}{places}/"}


def _put(glue: Any, database: str, asked: dict[str, Any], found: Mapping[str, Any] | None) -> str:
    if found is None:
        glue.create_table(DatabaseName=database, TableInput=asked)
        return CREATED
    if all(found.get(key) == value for key, value in asked.items()):
        return UNCHANGED
    glue.update_table(DatabaseName=database, TableInput=asked)
    return REPLACED


def _table(glue: Any, database: str, name: str) -> Mapping[str, Any] | None:
    from rankhammer.emr.clients import is_code

    try:
        found: Mapping[str, Any] = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except Exception as exc:
        if is_code(exc, "EntityNotFoundException"):
            return None
        raise
    return found


def _tables(glue: Any, database: str) -> list[Mapping[str, Any]]:
    if not _has_database(glue, database):
        return []
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
    return [table for page in pages for table in page["TableList"] if _is_ours(table)]


def _is_ours(table: Mapping[str, Any]) -> bool:
    return bool(table.get("Parameters", {}).get(_OURS) == "true")


def _has_database(glue: Any, database: str) -> bool:
    from rankhammer.emr.clients import is_code

    try:
        glue.get_database(Name=database)
    except Exception as exc:
        if is_code(exc, "EntityNotFoundException"):
            return False
        raise
    return True


def _require_database(glue: Any, database: str) -> None:
    if not _has_database(glue, database):
        about = "Hand-offs and results; its tables are replaced by `rankhammer tables publish`."
        glue.create_database(DatabaseInput={"Name": database, "Description": about})
