"""Which corpora a run works on: all that there are, or those that somebody named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pyspark.sql import DataFrame

PARAMETER = "params:corpora"
"""The input of the nodes that leave the other corpora out."""


def named(value: object) -> list[str] | None:
    """Read the parameter `corpora`.

    Args:
        value: A list of names, a text with commas between them, or None.

    Returns:
        The names in order, each once; None: all corpora.

    Raises:
        ValueError: It names none, or is no list of names.
    """
    if value is None:
        return None
    parts = value if isinstance(value, list | tuple) else str(value).split(",")
    if not all(isinstance(part, str | int) for part in parts):
        raise ValueError("expected names of corpora, as in: corpora=shop_fr,shop_de")
    names = sorted({str(part).strip() for part in parts} - {""})
    if not names:
        raise ValueError("no corpus is named; leave it out for all of them")
    return names


def only(table: DataFrame, wanted: Sequence[str] | None) -> DataFrame:
    """Keep the rows of some corpora.

    Args:
        table: Has a column `corpus`.
        wanted: Their names; None: all.
    """
    return table if wanted is None else table.where(table["corpus"].isin(list(wanted)))


def names_in(table: DataFrame) -> list[str]:
    """Return the names of a table's corpora; reads the whole column."""
    # An action: one name a corpus comes back.
    return sorted(row["corpus"] for row in table.select("corpus").distinct().collect())


def require_found(wanted: Sequence[str] | None, found: Iterable[str], known: Callable[[], Iterable[str]]) -> None:
    """Refuse a corpus that is asked for and is not there.

    Args:
        wanted: Names that were asked for; None: none by name.
        found: Those of them that are there.
        known: Returns all that are there; called only where one is missing.

    Raises:
        DataError: Names the missing ones and those that there are.
    """
    missing = sorted(set(wanted or ()) - set(found))
    if missing:
        there = sorted(known())
        listed = ", ".join(map(repr, missing))
        raise DataError(
            f"The parameter `corpora` asks for {listed}; the corpora here are: {', '.join(there) or 'none'}.",
            hint=f"{did_you_mean(missing[0], there)} A train run sees those that its collect run worked on.",
            missing=missing,
            known=there,
        )


def joint(one: Sequence[str] | None, other: Sequence[str] | None) -> list[str] | None:
    """Return the corpora that two selections have in common; None is the one of all corpora."""
    if one is None or other is None:
        chosen = other if one is None else one
        return None if chosen is None else sorted(chosen)
    return sorted(set(one) & set(other))


def is_of(name: str, wanted: Iterable[str]) -> bool:
    """Say whether a file, named "<corpus>/...", belongs to one of some corpora."""
    return any(name.startswith(f"{corpus}/") for corpus in wanted)
