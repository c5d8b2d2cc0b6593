"""The validation metric of a fit by round, thinned to as many rounds as are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.rankers import FittedRanker, Ranker


class Curve(NamedTuple):
    """What early stopping looked at in one fit.

    Args:
        rounds: 1-based, ascending; the first, the best and the last are among them.
        ndcg: The validation metric after each of them, by the ranker's own function over the queries that ours counts:
            those with a relevant document.
    """

    rounds: tuple[int, ...] = ()
    ndcg: tuple[float, ...] = ()


NO_CURVE = Curve()
MIN_POINTS = 3
"""The first round, the best and the last."""


def thin(by_round: Sequence[float], best_round: int, n_points: int) -> Curve:
    """Keep some rounds of a fit, spread evenly.

    Args:
        by_round: The metric after each round, from the first one on; empty where nothing was looked at.
        best_round: 1-based; it is kept.
        n_points: Largest number of rounds that are kept, MIN_POINTS or more; 0: none.
    """
    n_rounds = len(by_round)
    if not n_points or not n_rounds:
        return NO_CURVE
    if n_rounds <= n_points:
        kept = range(1, n_rounds + 1)
        return Curve(tuple(kept), tuple(map(float, by_round)))
    even = np.linspace(1, n_rounds, n_points - 1).round().astype(int).tolist()
    chosen = sorted({*even, min(max(best_round, 1), n_rounds)})
    return Curve(tuple(chosen), tuple(float(by_round[number - 1]) for number in chosen))


def curve_of(fitted: FittedRanker, ranker: Ranker, values: NDArray[np.float64], n_points: int) -> Curve:
    """Return a fit's validation metric by round, counted as ours is: over the queries with a relevant document alone.

    Args:
        fitted: With what early stopping looked at.
        ranker: That made it; `ndcg_of_empty` says what a query without a relevant document counts there, if at all.
        values: Our metric of each validation query, NaN where it has no relevant document. Shape (n_queries,).
        n_points: See `thin`.
    """
    curve = thin(fitted.by_round, fitted.n_rounds, n_points)
    of_empty = getattr(ranker, "ndcg_of_empty", None)
    share = float((~np.isnan(values)).mean()) if len(values) else 0.0
    if of_empty is None or not share:
        return curve
    return Curve(curve.rounds, tuple((value - (1 - share) * of_empty) / share for value in curve.ndcg))


def held(curve: Curve, rounds: Sequence[int]) -> list[float]:
    """Return the metric at other rounds: on the line between two kept ones, and at its best after the last.

    Args:
        curve: At least one round.
        rounds: 1-based.
    """
    at = np.interp(rounds, curve.rounds, curve.ndcg)
    return [float(value) for value in np.where(np.asarray(rounds) > curve.rounds[-1], max(curve.ndcg), at)]
