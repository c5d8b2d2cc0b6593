"""From fitted parameters to judgments: a grade, a weight and the evidence of every (query, document)."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import numpy as np

from rankhammer import schemas
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame

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


Weighting = Literal["equal", "evidence"]
GradedBy = Literal["mean", "lower_bound"]
RELEVANCE_COLUMN: Mapping[GradedBy, str] = {"mean": "relevance", "lower_bound": "relevance_lower"}


def judge(
    parameters: DataFrame,
    *,
    cuts: Mapping[str, Sequence[float]],
    min_examined: float,
    weighting: Weighting,
    graded_by: GradedBy = "mean",
) -> DataFrame:
    """Turn a fitted click model into judgments.

    Args:
        parameters: `FittedClickModel.parameters`.
        cuts: For each corpus the relevance at which each grade from 1 on begins, ascending.
        min_examined: A pair with fewer expected examinations gets no grade: under any prior a document that nobody
            looked at would stand above one that was looked at and passed over.
        weighting: "equal": 1.0 for all; "evidence": 1 - prior_share, so that proven judgments count more.
        graded_by: Which end of the posterior the cuts apply to: its mean, or the lower bound of its 95 % interval, so
            that little evidence cannot make a good grade.

    Returns:
        `schemas.JUDGMENTS`.
    """
    from pyspark.sql import functions as F

    graded = F.when(F.col("n_examined") >= min_examined, _grade(cuts, RELEVANCE_COLUMN[graded_by]))
    weight = F.lit(1.0) if weighting == "equal" else F.lit(1.0) - F.col("prior_share")
    judged = parameters.withColumns({"grade": graded.cast("int"), "weight": weight})
    return schemas.JUDGMENTS.select(judged)


def _grade(cuts: Mapping[str, Sequence[float]], relevance: str) -> Column:
    """How many of its corpus' cuts a relevance reaches: cuts as one literal map, so that no join is needed."""
    from pyspark.sql import functions as F

    if not cuts:
        return F.lit(None)
    n_grades = max(len(found) for found in cuts.values())
    grade = F.lit(0)
    for place in range(n_grades):
        entries = [F.lit(item) for corpus, found in sorted(cuts.items()) for item in (corpus, float(found[place]))]
        begins = F.try_element_at(F.create_map(*entries), F.col("corpus"))
        grade = grade + F.when(F.col(relevance) >= begins, 1).otherwise(0)
    return grade
