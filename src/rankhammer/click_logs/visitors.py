"""Who searched: ids of users and addresses. They are hashed with a salt before anything else looks at a page."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from rankhammer import credentials
from rankhammer.errors import ConfigError
from rankhammer.schemas import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame

USER, ADDRESS, RECEIVED_AT, OF_ADDRESS = "user_id", "address", "received_at", "n_address_searches"
AGENT = "user_agent"
VISITOR_COLUMNS: Mapping[str, str] = {
    USER: "string",
    ADDRESS: "string",
    RECEIVED_AT: "timestamp",
    OF_ADDRESS: "int",
    AGENT: "string",
}
"""Columns that a reader may return beside `schemas.RAW_SERPS`, with their types; all are dropped after the checks."""
_SALT = "visitor_salt"
_ID_LENGTH = 32
_SALT_BYTES = 32


def salt_named(entry: str | None) -> str:
    """Return the secret that ids of visitors are hashed with.

    Args:
        entry: Name of an entry of credentials.yml, whose `api_key` or `password` it is; None: a new one, so that ids of
            two runs have nothing in common.

    Raises:
        ConfigError: There is no such entry, or it holds no secret.
    """
    if entry is None:
        return secrets.token_hex(_SALT_BYTES)
    login = credentials.login(entry)
    salt = login.api_key.get_secret_value() or login.password.get_secret_value()
    if not salt:
        raise ConfigError(
            f"Credentials {entry!r}, which ingestion.salt names, hold no secret.",
            hint="Give the entry an `api_key`: 32 random characters, the same for every run whose ids should be equal.",
        )
    return salt


def require_types(dtypes: Sequence[tuple[str, str]]) -> None:
    """Check what a reader returned of `VISITOR_COLUMNS`.

    Args:
        dtypes: (column, Spark type name) pairs, as `DataFrame.dtypes` gives them.

    Raises:
        SchemaError: A column has another type.
    """
    found = dict(dtypes)
    known = {name: kind for name, kind in VISITOR_COLUMNS.items() if name in found}
    Table("raw_serps", (), known).require(dtypes)


def hash_visitors(pages: DataFrame, salt: str) -> DataFrame:
    """Replace ids of users and addresses by hashes; a log that has neither stays as it is.

    Args:
        pages: May have `user_id` and `address`.
        salt: Secret; the same one makes the same hashes.

    Returns:
        The same rows and columns; each id is null or 32 hex digits.
    """
    ids = [name for name in (USER, ADDRESS) if name in pages.columns]
    if not ids:
        return pages
    # A table of one row, not a literal: Spark writes literals into its plans, which its user interface shows.
    salted = pages.crossJoin(F.broadcast(pages.sparkSession.createDataFrame([(salt,)], f"{_SALT} string")))
    return salted.withColumns({name: _hashed(name) for name in ids}).drop(_SALT)


def visitor(columns: list[str]) -> Column | None:
    """Return who a page's session belongs to: the user, or the address where no user is named.

    Args:
        columns: Of the pages.

    Returns:
        A hash or null; None where the log knows neither.
    """
    ids = [F.col(name) for name in (USER, ADDRESS) if name in columns]
    return F.coalesce(*ids) if ids else None


def short_hash(text: Column) -> Column:
    """Return the first 12 hex digits of a text's SHA-256: what reports show of an id."""
    return F.substring(F.sha2(text, 256), 1, 12)


def _hashed(name: str) -> Column:
    # The name keeps a user and an address of equal text apart.
    text = F.concat_ws("\n", _SALT, F.lit(name), name)
    return F.when(F.col(name).isNotNull(), F.substring(F.sha2(text, 256), 1, _ID_LENGTH))
