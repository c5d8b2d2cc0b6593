"""From fitted parameters to judgments: a grade, a weight and the evidence of every (query, document)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from rankhammer import schemas

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame

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
