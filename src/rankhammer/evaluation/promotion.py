"""Whether a ranker may become current: it has to be surely better than the one that is, on the same queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.evaluation.verdict import BETTER, WORSE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

CHAMPION = "champion"
ORDERS = {"logged": "the logged order", "baseline": "the baseline", CHAMPION: "the current ranker"}


def refusal(verdicts: Mapping[str, Mapping[str, Any]], *, has_champion: bool) -> str:
    """Say why a ranker may not become current.

    Args:
        verdicts: "champion", "logged" and "baseline", as far as they were measured, to what `verdict.judge` returns.
        has_champion: Whether a ranker is current; the first one of a corpus has no other to be better than.

    Returns:
        The reason in words; empty where it may.
    """
    reasons = [
        f"it is worse than {ORDERS[against]} ({difference(found)})"
        for against, found in verdicts.items()
        if found["verdict"] == WORSE
    ]
    gain = verdicts.get(CHAMPION)
    if has_champion and gain is None:
        reasons.append("it has no query in common with the current ranker")
    elif gain is not None and gain["verdict"] not in (BETTER, WORSE):
        reasons.append(f"no significant gain over the current ranker: {gain['verdict']} ({difference(gain)})")
    return "; ".join(reasons)


def corrected_confidence(confidence: float, n_tried: int) -> float:
    """Return the coverage at which one of several challengers has to show its gain (Bonferroni).

    Of many rankers that are no better one would seem to be so by luck. With alpha / n for each of n, the chance that
    any of them does stays at alpha.

    Args:
        confidence: Coverage for a single one, 1 - alpha.
        n_tried: Rankers that were compared with this champion on these queries, this one included, 1 or more.

    References:
        Dunn, Multiple comparisons among means, JASA 1961.
    """
    return 1.0 - (1.0 - confidence) / n_tried


def rankers_tried(
    comparisons: Iterable[Mapping[str, Any]], *, champion: str | None, test_queries: str | None, ranker: str
) -> int:
    """Count the rankers that were compared with a champion on the same queries.

    Args:
        comparisons: Those that the registry has of the corpus.
        champion: Id of the current ranker.
        test_queries: Digest of the queries.
        ranker: Id of the one that is compared now; it counts once, also where it was compared before.
    """
    same = [one for one in comparisons if (one.get("champion"), one.get("test_queries")) == (champion, test_queries)]
    return len({ranker, *(one.get("ranker") for one in same)})


def difference(found: Mapping[str, Any]) -> str:
    """Return a difference with its interval as text."""
    if found["mean"] is None:
        return "no value"
    if found["lower"] is None:
        return f"{found['mean']:+.3f}, no interval"
    return f"{found['mean']:+.3f}, {found['lower']:+.3f} to {found['upper']:+.3f}"
