"""From relevance to grades: small integers that a ranking loss understands."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GradingMethod = Literal["quantiles", "thresholds", "rounding"]


def grade_cuts(
    method: GradingMethod, *, max_grade: int, cuts: Sequence[float], relevance_quantiles: Sequence[float]
) -> list[float]:
    """Return the relevance at which each grade from 1 to `max_grade` begins.

    - quantiles: `cuts` are shares of the corpus' clicked pairs. Without cuts each grade is half as frequent as the
      one below: grade k begins at the share 1 - 2^-k.
    - thresholds: `cuts` are relevances, the same for every corpus.
    - rounding: relevance x max_grade to the nearest integer; `cuts` must be empty.

    Args:
        method: One of the three.
        max_grade: The best grade, at least 1.
        cuts: Empty, or `max_grade` ascending numbers in [0, 1].
        relevance_quantiles: Evenly spaced quantiles of the corpus' relevance, from 0 to 1.

    Returns:
        `max_grade` ascending relevances.

    Raises:
        ConfigError: `cuts` does not fit the method or `max_grade`.
    """
    check_cuts(method, max_grade=max_grade, cuts=cuts)
    if method == "rounding":
        return [(grade - 0.5) / max_grade for grade in range(1, max_grade + 1)]
    if method == "thresholds":
        return list(cuts)
    if not len(relevance_quantiles):
        return [float("inf")] * max_grade
    shares = list(cuts) or [1 - 0.5**grade for grade in range(1, max_grade + 1)]
    places = np.linspace(0, 1, len(relevance_quantiles))
    return [float(cut) for cut in np.interp(shares, places, relevance_quantiles)]


def check_cuts(method: GradingMethod, *, max_grade: int, cuts: Sequence[float]) -> None:
    """Check that the cuts fit the method; see `grade_cuts`.

    Raises:
        ConfigError: They do not; says what was expected.
    """
    optional = {"quantiles": (0, max_grade), "thresholds": (max_grade,), "rounding": (0,)}[method]
    ascending = all(low < high for low, high in pairwise(cuts))
    if len(cuts) not in optional or not ascending or not all(0 <= cut <= 1 for cut in cuts):
        raise ConfigError(
            f"labeling.grading.cuts: got {list(cuts)}, expected {' or '.join(map(str, optional))} ascending numbers "
            f"from 0 to 1 for method {method!r} with max_grade {max_grade}.",
            hint="Give one number for each grade from 1 to max_grade, or change max_grade.",
            cuts=list(cuts),
        )


def cuts_by_corpus(
    method: GradingMethod,
    *,
    max_grade: int,
    cuts: Sequence[float],
    relevance_quantiles: Mapping[str, Sequence[float]],
) -> dict[str, list[float]]:
    """Return `grade_cuts` of every corpus."""
    return {
        corpus: grade_cuts(method, max_grade=max_grade, cuts=cuts, relevance_quantiles=quantiles)
        for corpus, quantiles in relevance_quantiles.items()
    }
