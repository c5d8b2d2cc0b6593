"""Types of columns as Spark writes them down, in the words of other engines."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.errors import SchemaError

if TYPE_CHECKING:
    from collections.abc import Mapping

_WORD = re.compile(r"\w+")
_DECIMAL = re.compile(r"decimal\((\d+),(\d+)\)")


@dataclass(frozen=True)
class Dialect:
    """How an engine writes types.

    Args:
        simple: Spark's name of a type without parts to the engine's.
        array: Text with `{}` for the elements' type.
        map: Text with `{}` for the types of keys and values.
        struct: Text with `{}` for the fields.
        field: Text with `{}` for a field's name and type.
        quotes: Whether every name of a field stands in double quotes.
    """

    simple: Mapping[str, str]
    array: str
    map: str
    struct: str
    field: str
    quotes: bool

    def type_of(self, kind: Any) -> str:
        """Write a type.

        Args:
            kind: As in Spark's JSON of a schema: a name, or an object with `type`.

        Raises:
            SchemaError: The engine has no such type.
        """
        if isinstance(kind, str):
            return self._simple(kind)
        name = kind.get("type") if isinstance(kind, dict) else None
        if name == "array":
            return self.array.format(self.type_of(kind["elementType"]))
        if name == "map":
            return self.map.format(self.type_of(kind["keyType"]), self.type_of(kind["valueType"]))
        if name == "struct":
            fields = (self.field.format(self._named(f["name"]), self.type_of(f["type"])) for f in kind["fields"])
            return self.struct.format(", ".join(fields) if self.quotes else ",".join(fields))
        raise SchemaError(f"A column has the type {kind!r}, which is not known.", hint="Cast it before it is written.")

    def _simple(self, kind: str) -> str:
        if _DECIMAL.fullmatch(kind):
            return kind
        if kind not in self.simple:
            raise SchemaError(
                f"A column has the type {kind!r}, which is not known.", hint="Cast it before it is written."
            )
        return self.simple[kind]

    def _named(self, name: str) -> str:
        if self.quotes:
            return quoted(name)
        if not _WORD.fullmatch(name):
            raise SchemaError(f"A field is called {name!r}.", hint="Use letters, digits and _ in names of features.")
        return name


_ALIKE = {"string": "string", "boolean": "boolean", "double": "double", "float": "float", "date": "date"}
_WHOLE = {"byte": "tinyint", "short": "smallint", "integer": "int", "long": "bigint"}
DUCKDB = Dialect(
    {
        **_ALIKE,
        **_WHOLE,
        "string": "varchar",
        "timestamp": "timestamptz",
        "timestamp_ntz": "timestamp",
        "binary": "blob",
    },
    "{}[]",
    "map({}, {})",
    "struct({})",
    "{} {}",
    quotes=True,
)
HIVE = Dialect(
    {**_ALIKE, **_WHOLE, "timestamp": "timestamp", "timestamp_ntz": "timestamp", "binary": "binary"},
    "array<{}>",
    "map<{},{}>",
    "struct<{}>",
    "{}:{}",
    quotes=False,
)
"""Of Hive, of Glue and of Athena."""


def columns(schema: bytes, dialect: Dialect) -> dict[str, str]:
    """Return the columns of a table, in order, with an engine's types.

    Args:
        schema: Spark's JSON of it.
        dialect: Of the engine.

    Raises:
        SchemaError: It is no schema, or has a type that the engine lacks.
    """
    try:
        fields = json.loads(schema)["fields"]
        return {str(field["name"]): dialect.type_of(field["type"]) for field in fields}
    except (ValueError, KeyError, TypeError) as exc:
        raise SchemaError("The columns of a table are not as Spark writes them.", hint="Run its stage again.") from exc


def quoted(name: str) -> str:
    """Write a name as SQL reads it, whatever signs it has."""
    return '"' + name.replace('"', '""') + '"'
