"""Nodes of the labeling stage."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

# Kedro resolves every annotation of a node at run time.
from pandas import DataFrame as PandasFrame  # noqa: TC002
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer import click_models, plugins
from rankhammer.click_models import periods
from rankhammer.datasets.day_store import DayStore  # noqa: TC001
from rankhammer.errors import stop_if_all_failed
from rankhammer.pipelines.labeling import comparing, report
from rankhammer.pipelines.labeling import fitted as fits
from rankhammer.pipelines.labeling.params import LabelingParams  # noqa: TC001
from rankhammer.pipelines.params import Holdout  # noqa: TC001
from rankhammer.plugins import PluginSpec


def count_serps(
    serps: DataFrame, summary: dict[str, Any], ingested_days: DayStore | None, holdout: Holdout
) -> DataFrame:
    """Count each query cluster's distinct result pages: all that the nodes below need of the log.

    The days of a log in a folder a day were counted when they were ingested; these counts are added up. A log that is
    cut by time is counted again.
    """
    held_out = periods.Holdout.parse(holdout)
    if held_out.is_by_time:
        return click_models.count_serps(periods.mark_later(serps, later_share=held_out.later_share))
    columns = click_models.share_columns(has_weights=bool(summary.get("has_weights")))
    shares = ingested_days.read_counts(summary, columns) if ingested_days else None
    return click_models.count_serps(serps) if shares is None else click_models.merge_shares(shares)


def compare_click_models(counted_serps: DataFrame, params: LabelingParams, random_state: int) -> dict[str, Any]:
    """Measure click models on pages that they were not fitted on, and say which one is to label the log."""
    choices, sizes = comparing.named_models(params), click_models.corpus_sizes(counted_serps)
    with_labels = comparing.scores_labels(params)
    known = [size for size in sizes if not periods.is_later(size["corpus"])]
    measured = comparing.measure(counted_serps, choices, params.held_out, random_state, known, with_labels=with_labels)
    chosen, reason = comparing.choose(params, choices, measured)
    shown = comparing.without_label_scores(measured)
    return {"click_model": chosen.model_dump(), "chosen_by": reason, "held_out": shown, "sizes": sizes}


def fit_click_model(
    counted_serps: DataFrame,
    comparison: dict[str, Any],
    previous_click_model: DataFrame | None,
    params: LabelingParams,
    holdout: Holdout,
) -> tuple[DataFrame, list[dict[str, str]], dict[str, Any]]:
    """Fit the chosen click model to every corpus."""
    choice = PluginSpec.model_validate(comparison["click_model"])
    fitted = click_models.fit_counted(
        plugins.create("click_models", choice),
        counted_serps,
        sizes=comparison["sizes"],
        sample_serps=params.sample_serps,
        min_examined=params.min_examined,
        start=fits.start_of(previous_click_model, holdout),
    )
    stop_if_all_failed(fitted.failures, len(fitted.failures) + len(fitted.corpora))
    failures = [asdict(periods.without_mark(failure)) for failure in fitted.failures]
    return fits.fold(fitted), failures, fits.describe(choice, fitted)


def judge(
    click_model_parameters: DataFrame, fitted: dict[str, Any], params: LabelingParams, holdout: Holdout
) -> DataFrame:
    """Judge each shown document by what the click model found for it."""
    judgments = click_models.judge(
        click_model_parameters,
        cuts=fits.grade_cuts(fitted, params.grading),
        min_examined=params.min_examined,
        weighting=params.weighting,
        graded_by=params.grading.graded_by,
    )
    return periods.with_period(judgments) if periods.Holdout.parse(holdout).is_by_time else judgments


def report_labeling(
    judgments: DataFrame,
    failures: list[dict[str, str]],
    fitted: dict[str, Any],
    comparison: dict[str, Any],
    params: LabelingParams,
) -> tuple[dict[str, Any], Figure, Figure, PandasFrame]:
    """Count the judgments, and set the click models that were measured side by side."""
    chosen, measured = comparison["click_model"]["name"], comparison["held_out"]
    counts = report.count_judgments(judgments, max_grade=params.grading.max_grade)
    corpora = report.fit_facts(fitted, fits.grade_cuts(fitted, params.grading))
    facts = report.labeling_facts(chosen, counts, corpora, measured, failures)
    facts["click_model_chosen_by"] = comparison["chosen_by"]
    return facts, report.label_histogram(counts), report.click_model_fit(measured), report.comparison(measured, chosen)
