"""What users prefer: the read-out of an interleaving test, and of an A/B test."""

from __future__ import annotations

from dataclasses import dataclass
from math import erfc, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import DataError
from rankhammer.evaluation.bootstrap import Bootstrap, resampled_means

if TYPE_CHECKING:
    from numpy.typing import NDArray

    FloatArray = NDArray[np.float64]

PREFERS_A, PREFERS_B, SAME, TOO_FEW = "A", "B", "not distinguishable", "too few units"
MIN_UNITS = 20
"""Users, sessions or searches below which an interval is not trusted: see docs/evaluation.md."""
MISMATCH_P = 0.001
"""Probability below which unequal arms are taken for a fault of the test."""


@dataclass(frozen=True)
class Interleaved:
    """Searches whose page was drawn by two rankers in turn; one row per search.

    Args:
        clicks_a: Clicks on documents that ranker A drafted, whole numbers from 0 on. Shape (n_searches,).
        clicks_b: The same of ranker B. Shape (n_searches,).
        units: User, session or search that is drawn as a whole. Shape (n_searches,).
    """

    clicks_a: FloatArray
    clicks_b: FloatArray
    units: NDArray[Any]


def read_interleaving(found: Interleaved, bootstrap: Bootstrap) -> dict[str, Any]:
    """Say which of two rankers users prefer, from pages made by team drafting.

    A search goes to the team with more clicks, half to each where both have as many; searches without a click say
    nothing. Preference for B = (searches of B + ties / 2) / searches with a click: 0 to 1; 0.5: neither is preferred.

    Args:
        found: The searches.
        bootstrap: How the interval is made, by unit.

    Returns:
        preference (for B), lower, upper (None below two units), wins_a, wins_b, ties, n_searches, n_clicked, n_units,
        verdict: "A", "B", "not distinguishable" or "too few units".

    Raises:
        DataError: No search has a click, or a value is no count.

    References:
        Radlinski, Kurup and Joachims, How does clickthrough data reflect retrieval quality?, CIKM 2008; Chapelle et
        al., Large-scale validation and analysis of interleaved search evaluation, TOIS 2012.
    """
    _require_counts(found.clicks_a, "clicks_a")
    _require_counts(found.clicks_b, "clicks_b")
    clicked = found.clicks_a + found.clicks_b > 0
    if not clicked.any():
        raise DataError(
            f"None of {len(clicked)} interleaved searches has a click.",
            hint="Give the log of a longer time, with the clicks of each team.",
        )
    better = np.sign(found.clicks_b - found.clicks_a)[clicked]
    ends = _ends((better + 1.0) / 2.0, found.units[clicked], bootstrap)
    return {
        "preference": float(better.mean() + 1.0) / 2.0,
        **ends,
        "wins_a": int((better < 0).sum()),
        "wins_b": int((better > 0).sum()),
        "ties": int((better == 0).sum()),
        "n_searches": len(clicked),
        "n_clicked": int(clicked.sum()),
        "verdict": _word(ends, 0.5),
    }


@dataclass(frozen=True)
class Arms:
    """Observations of an A/B test.

    Args:
        in_b: Whether the unit saw B. Shape (n_rows,).
        values: What is compared, such as clicks or a conversion. Shape (n_rows,).
        units: User, session or search; it is in one arm. Shape (n_rows,).
    """

    in_b: NDArray[np.bool_]
    values: FloatArray
    units: NDArray[Any]


def read_ab(found: Arms, bootstrap: Bootstrap, *, share_b: float = 0.5) -> dict[str, Any]:
    """Compare the mean value of two arms.

    Args:
        found: The observations.
        bootstrap: How the interval is made: each arm's units are drawn with replacement.
        share_b: Share of the units that B was to get, between 0 and 1.

    Returns:
        mean_a, mean_b, difference (B less A), lower, upper (None below two units in an arm), units_a, units_b, n_units,
        n_rows, share_p (see `mismatch_p`) and verdict.

    Raises:
        DataError: An arm is empty, a unit is in both, a value is no number, or the arms' sizes are not as planned.
    """
    _require_arms(found)
    of_b, counts = _units_by_arm(found)
    share_p = mismatch_p(counts[0], counts[1], share_b)
    if share_p < MISMATCH_P:
        raise DataError(
            f"Arm A has {counts[0]} units and B {counts[1]}: with a planned share of {share_b:g} for B the chance of "
            f"that is {share_p:.1e}, so something other than chance assigned them, or lost some.",
            hint="Find what filters one arm (bots, redirects, logging), or say what was planned: --share-b.",
        )
    means = [float(found.values[found.in_b == arm].mean()) for arm in (False, True)]
    drawn = [_resampled(found, arm, bootstrap) for arm in (False, True)]
    tail = (1.0 - bootstrap.confidence) / 2.0
    ends: dict[str, Any] = {"lower": None, "upper": None, "n_units": len(of_b)}
    if min(counts) > 1:
        lower, upper = np.quantile(drawn[1] - drawn[0], [tail, 1.0 - tail])
        ends |= {"lower": float(lower), "upper": float(upper)}
    return {
        "mean_a": means[0],
        "mean_b": means[1],
        "difference": means[1] - means[0],
        **ends,
        "units_a": counts[0],
        "units_b": counts[1],
        "n_rows": len(found.values),
        "share_p": share_p,
        "verdict": _word(ends | {"n_units": min(counts)}, 0.0),
    }


def mismatch_p(n_a: int, n_b: int, share_b: float) -> float:
    """Return the chance of arms at least as far from the planned shares: chi-squared with one degree of freedom.

    References:
        Fabijan et al., Diagnosing sample ratio mismatch in online controlled experiments, KDD 2019.
    """
    total = n_a + n_b
    spread = sqrt(total * share_b * (1.0 - share_b))
    return erfc(abs(n_b - total * share_b) / spread / sqrt(2.0)) if spread else 1.0


def _require_counts(values: FloatArray, name: str) -> None:
    faulty = values[~(np.isfinite(values) & (values >= 0) & (values == np.floor(values)))]
    if faulty.size:
        raise DataError(
            f"{faulty.size} of {len(values)} values of {name} are no counts, the first is {faulty[0]:g}.",
            hint="Clicks are whole numbers from 0 on; write 0 where there was none.",
        )


def _require_arms(found: Arms) -> None:
    if not np.isfinite(found.values).all():
        faulty = int((~np.isfinite(found.values)).sum())
        raise DataError(f"{faulty} of {len(found.values)} values are no numbers.", hint="Write 0 where there was none.")
    for arm, name in ((False, "A"), (True, "B")):
        if not (found.in_b == arm).any():
            raise DataError(f"Arm {name} has no rows.", hint="Name its value in the variant column: --a, --b.")
    both = np.intersect1d(found.units[found.in_b], found.units[~found.in_b])
    if both.size:
        raise DataError(
            f"{both.size} units are in both arms.",
            hint="A unit sees one arm alone: choose the unit that was assigned, or leave these out.",
        )


def _units_by_arm(found: Arms) -> tuple[NDArray[np.bool_], tuple[int, int]]:
    _, first = np.unique(found.units, return_index=True)
    of_b = found.in_b[first]
    return of_b, (int((~of_b).sum()), int(of_b.sum()))


def _resampled(found: Arms, arm: bool, bootstrap: Bootstrap) -> FloatArray:
    """Means of one arm's resamples; B's draws are other ones than A's."""
    seeded = Bootstrap(bootstrap.n_resamples, bootstrap.confidence, 2 * bootstrap.random_state + int(arm))
    mine = found.in_b == arm
    drawn: FloatArray = resampled_means(found.values[mine][:, None], found.units[mine], seeded)[:, 0]
    return drawn


def _ends(values: FloatArray, units: NDArray[Any], bootstrap: Bootstrap) -> dict[str, Any]:
    n_units = len(np.unique(units))
    if n_units < 2:
        return {"lower": None, "upper": None, "n_units": n_units}
    tail = (1.0 - bootstrap.confidence) / 2.0
    drawn = resampled_means(values[:, None], units, bootstrap)[:, 0]
    lower, upper = np.quantile(drawn, [tail, 1.0 - tail])
    return {"lower": float(lower), "upper": float(upper), "n_units": n_units}


def _word(ends: dict[str, Any], even: float) -> str:
    if ends["lower"] is None or ends["n_units"] < MIN_UNITS:
        return TOO_FEW
    return PREFERS_B if ends["lower"] > even else PREFERS_A if ends["upper"] < even else SAME
