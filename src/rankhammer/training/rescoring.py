"""Scores rows of the training matrix once more, as the evaluation scored them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.rankers import scoring
from rankhammer.training import final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import DataFrame

    from rankhammer.evaluation.compared_queries import Measured


def scorer(ranker: Mapping[str, bytes]) -> Callable[[DataFrame, Measured], DataFrame]:
    """Return what adds the columns logged, baseline and ranker to rows of the matrix.

    Args:
        ranker: The rankers' folders, "<folder of the corpus>/<file>" to content.
    """
    models = final.models(ranker)

    def score(rows: DataFrame, measured: Measured) -> DataFrame:
        shown = scoring.rank_as_shown(rows, baseline_feature=measured.baseline_feature)
        return scoring.score_rows(shown, {"ranker": models})

    return score
