"""Which rankers are written and do not become current: those that are worse than an order they were compared with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rankhammer.corpora import corpus_in
from rankhammer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

WORSE = "worse"
BY_HAND = "to be promoted by hand"
ORDERS = {"logged": "the logged order", "baseline": "the baseline"}


def read_verdicts(files: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Read what the training stage says of each corpus's ranker.

    Args:
        files: "<folder of the corpus>/verdict.json" to content.

    Raises:
        DataError: A file is no verdict.
    """
    return {corpus_in(name): _parse(name, content) for name, content in sorted(files.items())}


def reasons(verdicts: Mapping[str, Mapping[str, Any]], *, accepted: Collection[str] | bool) -> dict[str, str]:
    """Say why rankers are held back.

    Args:
        verdicts: Corpus to its verdict, see `read_verdicts`.
        accepted: Corpora whose ranker becomes current even so; True: all.

    Returns:
        Corpus to the reason in words; corpora whose ranker becomes current are left out.
    """
    worse = {corpus: _reason(found) for corpus, found in verdicts.items() if found.get("verdict") == WORSE}
    if isinstance(accepted, bool):
        return {} if accepted else worse
    return {corpus: reason for corpus, reason in worse.items() if corpus not in accepted}


def by_hand(reasons: Mapping[str, str], corpora: Iterable[str]) -> dict[str, str]:
    """Add the corpora whose ranker becomes current by `rankhammer promote` alone.

    Args:
        reasons: What `reasons` returned.
        corpora: These corpora.

    Returns:
        Corpus to the reason in words, which begins with BY_HAND for these.
    """
    waiting = {corpus: f"{BY_HAND}; it is {reasons[corpus]}" if corpus in reasons else BY_HAND for corpus in corpora}
    return {**reasons, **waiting}


def _parse(name: str, content: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(content)
        found["verdict"]
    except (ValueError, KeyError, TypeError) as exc:
        raise DataError(f"{name} is no verdict.", hint="Run the training stage again.", name=name) from exc
    return found


def _reason(found: Mapping[str, Any]) -> str:
    parts = [
        f"{ORDERS.get(against, against)} ({one['mean']:+.3f}, {one['lower']:+.3f} to {one['upper']:+.3f})"
        for against, one in found["verdicts"].items()
        if one["verdict"] == WORSE
    ]
    return f"worse than {' and '.join(parts)} in {found['metric']}"
