"""The features report and its plot: one small row per corpus comes back from Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plotly.graph_objects import Box, Figure

from rankhammer import plot_style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import Column, DataFrame, Row

    from rankhammer.feature_sets import FeatureSet

    Facts = dict[str, dict[str, Any]]

MAX_PLOTTED_CORPORA = 12
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_BOX = ("lowerfence", "q1", "median", "q3", "upperfence")


def describe_features(feature_rows: DataFrame, feature_set: FeatureSet) -> Facts:
    """Summarise each feature of each corpus.

    Args:
        feature_rows: `schemas.FEATURE_ROWS`, read back from where they are kept.
        feature_set: The features in them.

    Returns:
        Corpus to n_rows and `features`: name to min, mean, max, nonzero_share, absent_share (NaN) and quantiles.
    """
    from pyspark.sql import functions as F

    summaries = [_summary(name).alias(name) for name in feature_set.names]
    per_corpus = feature_rows.groupBy("corpus").agg(F.count("*").alias("n_rows"), F.struct(*summaries).alias("all"))
    # Action: the report is made of these; one row per corpus comes back, 10 numbers per feature.
    rows = sorted(per_corpus.collect(), key=lambda row: row["corpus"])
    return {
        row["corpus"]: {
            "n_rows": row["n_rows"],
            "features": {name: _facts(row["all"][name], row["n_rows"]) for name in feature_set.names},
        }
        for row in rows
    }


def features_facts(
    described: Facts, missing: Facts, failures: Sequence[Mapping[str, str]], feature_set: FeatureSet
) -> dict[str, Any]:
    """Put each corpus's rows, missing documents and feature facts together: the stage's report."""
    corpora = {}
    for corpus, counted in sorted(missing.items()):
        found = described.get(corpus, {"n_rows": 0, "features": {}})
        corpora[corpus] = {
            "n_rows": found["n_rows"],
            "n_features": len(feature_set.names),
            "feature_set": feature_set.name,
            "feature_set_version": feature_set.version,
            **counted,
            "features": found["features"],
            "warnings": _warnings(found, counted) if corpus in described else [],
        }
    return {"corpora": corpora, "failures": list(failures)}


def distribution_figure(described: Facts) -> Figure:
    """Plot each feature's quantiles as a share of its largest value, one colour a corpus."""
    figure, colours = Figure(), plot_style.corpus_colours(described)
    sizes = {corpus: facts["n_rows"] for corpus, facts in described.items()}
    for corpus in plot_style.largest_corpora(sizes, MAX_PLOTTED_CORPORA):
        features = described[corpus]["features"]
        boxes = {key: [_share(found, place) for found in features.values()] for place, key in enumerate(_BOX)}
        figure.add_trace(Box(name=corpus, x=list(features), marker_color=colours[corpus], **boxes))
    return plot_style.themed(
        figure,
        title="Feature values: 5 %, 25 %, 50 %, 75 % and 95 % of the rows lie below",
        legend="corpus",
        x="feature",
        y="share of the feature's largest value",
        boxmode="group",
    )


def _summary(name: str) -> Column:
    """Aggregate one feature; NaN, an absent value, counts only as absent."""
    from pyspark.sql import functions as F

    value = F.col("features").getField(name).cast("double")
    present = F.when(~F.isnan(value), value)
    return F.struct(
        F.min(present).alias("min"),
        F.avg(present).alias("mean"),
        F.max(present).alias("max"),
        F.count_if(present != 0).alias("n_nonzero"),
        F.count(present).alias("n_present"),
        F.percentile_approx(present, list(_QUANTILES), 1000).alias("quantiles"),
    )


def _facts(summary: Row, n_rows: int) -> dict[str, Any]:
    """Round the mean: its last digits depend on the order in which Spark adds."""
    return {
        "min": summary["min"],
        "mean": None if summary["mean"] is None else float(f"{summary['mean']:.9g}"),
        "max": summary["max"],
        "nonzero_share": summary["n_nonzero"] / n_rows,
        "absent_share": 1 - summary["n_present"] / n_rows,
        "quantiles": dict(zip(map(str, _QUANTILES), summary["quantiles"] or [None] * 5, strict=True)),
    }


def _warnings(found: Mapping[str, Any], counted: Mapping[str, Any]) -> list[str]:
    constant = [
        f"Feature {name!r} has the same value in every row ({facts['min']}): it tells documents not apart."
        for name, facts in found["features"].items()
        if facts["min"] == facts["max"] and facts["absent_share"] in (0, 1)
    ]
    n_lost = counted["n_judgments"] - counted["n_missing"] - found["n_rows"]
    lost = [f"{n_lost} rows have no features although their documents are there."] if n_lost else []
    return constant + lost


def _share(facts: Mapping[str, Any], place: int) -> float | None:
    value = list(facts["quantiles"].values())[place]
    return None if value is None else value / (abs(facts["max"]) or 1.0)
