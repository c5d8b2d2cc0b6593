"""What a fit hands on: a table of what was found for each document, and a record of what the clusters share."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rankhammer.click_models import cuts_by_corpus
from rankhammer.click_models.periods import Holdout
from rankhammer.schemas import CLICK_MODEL_PARAMETERS, JUDGMENTS, PREVIOUS_CLICK_MODEL

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from rankhammer.click_models import FittedClickModel
    from rankhammer.pipelines.labeling.params import GradingParams
    from rankhammer.plugins import PluginSpec

_QUANTILES = {"mean": "relevance_quantiles", "lower_bound": "lower_quantiles"}


def fold(fitted: FittedClickModel) -> DataFrame:
    """Return `schemas.CLICK_MODEL_PARAMETERS`, the model's own parameters in one struct."""
    from pyspark.sql import functions as F

    own = F.struct(*fitted.model.parameter_names).alias("parameters")
    return CLICK_MODEL_PARAMETERS.select(fitted.parameters.select("*", own))


def unpack(parameters: DataFrame) -> DataFrame:
    """Return corpus, query_cluster_id, doc_id and one column a parameter.

    Raises:
        SchemaError: The table is no `schemas.PREVIOUS_CLICK_MODEL`.
    """
    PREVIOUS_CLICK_MODEL.require(parameters.dtypes)
    return parameters.select(*JUDGMENTS.grain, "parameters.*")


def start_of(previous: DataFrame | None, holdout: object) -> DataFrame | None:
    """Return where fits begin: at an earlier run's, unless that may know of days that are held out."""
    return None if previous is None or Holdout.parse(holdout).is_by_time else unpack(previous)


def describe(choice: PluginSpec, fitted: FittedClickModel) -> dict[str, Any]:
    """Record the model, and for each corpus what its clusters share and how relevance is spread."""
    return {
        "click_model": choice.model_dump(),
        "corpora": {
            corpus: {
                **asdict(found),
                "parameters": dict(found.parameters),
                "relevance_quantiles": list(fitted.relevance_quantiles[corpus]),
                "lower_quantiles": list(fitted.lower_quantiles[corpus]),
            }
            for corpus, found in fitted.corpora.items()
        },
    }


def grade_cuts(fitted: dict[str, Any], grading: GradingParams) -> dict[str, list[float]]:
    """Return where the grades of each corpus begin.

    Args:
        fitted: What `describe` recorded.
        grading: How grades are cut, and by which end of the posterior.
    """
    key = _QUANTILES[grading.graded_by]
    return cuts_by_corpus(
        grading.method,
        max_grade=grading.max_grade,
        cuts=grading.cuts,
        relevance_quantiles={corpus: found[key] for corpus, found in fitted["corpora"].items()},
    )
