"""Which corpora a run works on: all that there are, or those that somebody named."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING
from urllib.parse import unquote

from rankhammer.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pyspark.sql import DataFrame

PARAMETER = "params:corpora"
"""The input of the nodes that leave the other corpora out."""
MAX_NAME_BYTES = 200
"""Of a corpus' folder: filesystems take 255, of which Spark and unfinished files need some."""
_SPECIAL = frozenset('%/\\:*?[]{}"<>|')
"""Signs that a path, a pattern or a URI takes for something else, and the one that marks them."""
_SPARKS = frozenset("#'=^")
"""Signs that Spark escapes in names of folders, beside those."""
_UNPRINTABLE = ("Cc", "Cs", "Zl", "Zp")
"""Unicode's categories of control characters, halves of letters, and line ends."""
_SPARKS_NULL = "__HIVE_DEFAULT_PARTITION__"


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


def intersect(one: Sequence[str] | None, other: Sequence[str] | None) -> list[str] | None:
    """Return the corpora that two selections have in common; None is the one of all corpora."""
    if one is None or other is None:
        chosen = other if one is None else one
        return None if chosen is None else sorted(chosen)
    return sorted(set(one) & set(other))


def folder_of(corpus: str) -> str:
    """Return the name of a corpus' folder: one part of a path, whatever the corpus is called.

    A name without signs that a filesystem or Spark takes for something else is its own folder. In every other one these
    signs are written as % and the two digits of each byte, as in addresses, so that no two corpora share a folder.

    Args:
        corpus: Any text but an empty one.
    """
    encoded = "".join(_escaped(sign) if _is_special(sign) else sign for sign in corpus)
    # Files whose names begin so are hidden, or are ours.
    return _escaped(encoded[0]) + encoded[1:] if encoded[:1] in ("_", ".") else encoded


def corpus_in(path: str) -> str:
    """Return the corpus of a file that is named "<folder of the corpus>/..."; see `folder_of`."""
    return unquote(path.partition("/")[0], errors="surrogatepass")


def belongs_to(name: str, wanted: Iterable[str]) -> bool:
    """Say whether a file, named "<folder of the corpus>/...", belongs to one of some corpora."""
    return corpus_in(name) in set(wanted)


def name_fault(corpus: str) -> str:
    """Say why nothing can be published under a name; empty for a sound one.

    Args:
        corpus: As the log or the documents have it.
    """
    if any(unicodedata.category(sign) in _UNPRINTABLE for sign in corpus) or "\ufffd" in corpus:
        return "its name has signs that are no text: control characters, or bytes that could not be decoded"
    if corpus == _SPARKS_NULL:
        return "its name is the one by which Spark writes an absent value"
    n_bytes = sum(len(_escaped(sign) if _is_special(sign) or sign in _SPARKS else sign.encode()) for sign in corpus)
    if n_bytes > MAX_NAME_BYTES:
        return f"its name takes {n_bytes} bytes as the name of a folder, which may have {MAX_NAME_BYTES}"
    return ""


def _is_special(sign: str) -> bool:
    return sign in _SPECIAL or unicodedata.category(sign) in _UNPRINTABLE


def _escaped(sign: str) -> str:
    return "".join(f"%{byte:02X}" for byte in sign.encode("utf-8", "surrogatepass"))
