"""Names in the paths of requests: percent-encoded, and refused where an engine would take them for something else."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

from rankhammer.errors import ConfigError

_SEVERAL = "*,:"
"""By these a name stands for several indices, or for one of another cluster; a path takes them as they are."""
_NEVER = re.compile(r'[\x00-\x20\x7f\\/?"<>|#%]')
_ONE_ONLY = re.compile(rf"[{_SEVERAL}]")
_SOLR = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*")


def path(*parts: str) -> str:
    """Return a path whose parts are names, whatever characters they hold.

    Args:
        parts: In order; none is empty, `.` or `..`.

    Raises:
        ConfigError: A part would lead elsewhere.
    """
    for part in parts:
        if part in ("", ".", ".."):
            raise ConfigError(f"{part!r} cannot stand in an address of an engine.", hint="Choose another name.")
    return "".join(f"/{quote(part, safe=_SEVERAL)}" for part in parts)


@lru_cache(1024)
def index_name(pattern: str, corpus: str, *, solr: bool = False) -> str:
    """Return the index of a corpus.

    Args:
        pattern: Option `index`, in which {corpus} stands for the name.
        corpus: Whose index.
        solr: Solr's collections have stricter names.

    Raises:
        ConfigError: No engine can have an index of that name, or the corpus' name would make it several.
    """
    name = pattern.format(corpus=corpus)
    ambiguous = "{corpus}" in pattern and _ONE_ONLY.search(corpus)
    if ambiguous or not _is_name(name, solr=solr):
        raise ConfigError(
            f"Corpus {corpus!r}: {name!r} can be no index, collection or core of an engine.",
            hint="Set `index` to a name without {corpus}, or give the corpus another name when it is ingested.",
            corpus=corpus,
            index=name,
        )
    return name


def require_index_pattern(pattern: str) -> str:
    """Return a pattern of options that can be a name once {corpus} is filled in.

    Raises:
        ValueError: It cannot, whatever the corpus.
    """
    if not _is_name(pattern.replace("{corpus}", "x"), solr=False):
        raise ValueError(
            'no index can have such a name: it holds a space, / \\ ? " < > | # or %, or begins with _ or -'
        )
    return pattern


def _is_name(name: str, *, solr: bool) -> bool:
    if name in ("", ".", "..") or len(name.encode("utf-8", "surrogatepass")) > 255:
        return False
    if solr:
        return bool(_SOLR.fullmatch(name))
    return name[0] not in "_-+" and not _NEVER.search(name) and name.isprintable()
