"""Nodes of the features stage."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

# Kedro resolves every annotation of a node at run time.
from plotly.graph_objects import Figure  # noqa: TC002
from pyspark.sql import DataFrame  # noqa: TC002

from rankhammer import feature_sources, plugins
from rankhammer.feature_sets import FeatureSet  # noqa: TC001
from rankhammer.pipelines.features import report
from rankhammer.pipelines.features.params import FeaturesParams  # noqa: TC001


def collect_features(
    judgments: DataFrame, documents: DataFrame | None, params: FeaturesParams, feature_set: FeatureSet
) -> tuple[DataFrame, list[dict[str, str]], dict[str, dict[str, Any]]]:
    """Compute the feature set for every judged pair whose document is there."""
    source = plugins.create("feature_sources", params.source)
    collected = feature_sources.collect_features(
        source,
        judgments,
        documents=documents,
        feature_set=feature_set,
        max_bad_share=params.max_bad_share,
        negatives=params.negatives,
    )
    return collected.rows, [asdict(failure) for failure in collected.failures], collected.missing()


def report_features(
    feature_rows: DataFrame,
    failures: list[dict[str, str]],
    missing: dict[str, dict[str, Any]],
    feature_set: FeatureSet,
) -> tuple[dict[str, Any], Figure]:
    """Describe every feature of every corpus, name those that never vary, and plot their spread."""
    described = report.describe_features(feature_rows, feature_set)
    return report.features_facts(described, missing, failures, feature_set), report.distribution_figure(described)
