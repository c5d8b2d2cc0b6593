"""Nodes of the labeling stage."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

# Kedro resolves every annotation of a node at run time.
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer import click_models, plugins
from rankhammer.errors import stop_if_all_failed
from rankhammer.pipelines.labeling import report
from rankhammer.pipelines.labeling.params import LabelingParams  # noqa: TC001
from rankhammer.schemas import JUDGMENTS


def label(
    serps: DataFrame, params: LabelingParams
) -> tuple[DataFrame, list[dict[str, str]], dict[str, dict[str, Any]]]:
    """Fit the click model to every corpus, and judge each shown document by it."""
    model = plugins.create("click_models", params.click_model)
    fitted = click_models.fit(model, serps, sample_serps=params.sample_serps, min_examined=params.min_examined)
    stop_if_all_failed(fitted.failures, len(fitted.failures) + len(fitted.corpora))
    cuts = click_models.cuts_by_corpus(**params.grading.model_dump(), relevance_quantiles=fitted.relevance_quantiles)
    judgments = click_models.judge(
        fitted.parameters, cuts=cuts, min_examined=params.min_examined, weighting=params.weighting
    )
    facts = report.fit_facts(params.click_model.name, fitted.corpora, cuts)
    return JUDGMENTS.select(judgments), [asdict(failure) for failure in fitted.failures], facts


def report_labeling(
    serps: DataFrame,
    judgments: DataFrame,
    failures: list[dict[str, str]],
    fits: dict[str, dict[str, Any]],
    params: LabelingParams,
    random_state: int,
) -> tuple[dict[str, Any], Figure, Figure]:
    """Count the judgments, and measure the click model beside the floor on pages that neither was fitted on."""
    held_out = report.held_out(serps, params, random_state)
    counts = report.count_judgments(judgments)
    facts = report.labeling_facts(counts, fits, held_out, failures)
    return facts, report.label_histogram(counts), report.click_model_fit(held_out)
