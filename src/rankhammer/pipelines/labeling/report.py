"""The labeling report and its plots: small values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plotly.graph_objects import Bar, Figure, Scatter
from plotly.subplots import make_subplots

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pandas import DataFrame as PandasFrame
    from pyspark.sql import DataFrame

    Facts = dict[str, dict[str, Any]]

_COMPARED = ("n_serps", "log_likelihood", "perplexity", "conditional_perplexity", "n_iter", "converged")
_DASHES = ("solid", "dot", "dash", "dashdot", "longdash", "longdashdot")
NOT_GRADED = "none"
MAX_PLOTTED_CORPORA = 12
MAX_PLOTTED_POSITION = 50
_COLOURS = (
    "#4c78a8",
    "#f58518",
    "#54a24b",
    "#e45756",
    "#72b7b2",
    "#eeca3b",
    "#b279a2",
    "#ff9da6",
    "#9d755d",
    "#bab0ac",
)


def fit_facts(fitted: Mapping[str, Any], cuts: Mapping[str, Sequence[float]]) -> Facts:
    """Say what the clusters of each corpus share, and at which relevance each grade from 1 on begins."""
    return {
        corpus: {
            **found["parameters"],
            **{name: found[name] for name in ("n_iter", "converged", "log_likelihood")},
            "n_sample_serps": found["n_serps"],
            "grade_cuts": [cut for cut in cuts[corpus] if cut != float("inf")],
        }
        for corpus, found in fitted["corpora"].items()
    }


def count_judgments(judgments: DataFrame) -> Facts:
    """Count judgments, clusters, queries and grades of every corpus.

    Args:
        judgments: `schemas.JUDGMENTS`, read back from where they are kept.

    Returns:
        Corpus to n_judgments, n_graded, n_clusters, n_queries and `grades`: grade to number.
    """
    from pyspark.sql import functions as F

    # Actions: the report is made of these counts. One row a corpus and one a (corpus, grade) come back.
    totals = judgments.groupBy("corpus").agg(
        F.count("*").alias("n_judgments"),
        F.count("grade").alias("n_graded"),
        F.count_distinct("query_cluster_id").alias("n_clusters"),
        F.count_distinct("query").alias("n_queries"),
    )
    grades = judgments.groupBy("corpus", "grade").agg(F.count("*").alias("n")).collect()
    facts = {str(row["corpus"]): {**row.asDict(), "grades": {}} for row in totals.orderBy("corpus").collect()}
    for row in sorted(grades, key=lambda row: -1 if row["grade"] is None else row["grade"]):
        grade = NOT_GRADED if row["grade"] is None else str(row["grade"])
        facts[row["corpus"]]["grades"][grade] = row["n"]
    return facts


def labeling_facts(
    click_model: str,
    counts: Facts,
    fits: Facts,
    measured: Mapping[str, Facts],
    failures: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """Put counts, fit and measure of every corpus together: the stage's report."""
    corpora = {
        corpus: {**counted, "fit": fits.get(corpus, {}), "held_out": measured.get(corpus, {})}
        for corpus, counted in sorted(counts.items())
    }
    return {"click_model": click_model, "corpora": corpora, "failures": list(failures)}


def comparison(measured: Mapping[str, Facts], chosen: str) -> PandasFrame:
    """Set the click models side by side, the best first: one row a (corpus, click model).

    Args:
        measured: Corpus to model to figures, as `evaluate_held_out` returns them.
        chosen: The model that labels the log.
    """
    import pandas as pd

    rows = [
        {"corpus": corpus, "click_model": name, "chosen": name == chosen, **{key: found[key] for key in _COMPARED}}
        for corpus, models in measured.items()
        for name, found in models.items()
        if found
    ]
    table = pd.DataFrame(rows, columns=["corpus", "click_model", "chosen", *_COMPARED])
    return table.sort_values(["corpus", "conditional_perplexity", "click_model"], ignore_index=True)


def label_histogram(counts: Facts) -> Figure:
    """Plot how many judgments have each grade, one group of bars a corpus."""
    figure = Figure()
    for corpus, counted in list(counts.items())[:MAX_PLOTTED_CORPORA]:
        grades = counted["grades"]
        figure.add_trace(Bar(name=corpus, x=[f"grade {grade}" for grade in grades], y=list(grades.values())))
    return figure.update_layout(
        title="Judgments by grade", xaxis_title="grade (none: too little evidence)", yaxis_title="judgments"
    )


def click_model_fit(measured: Mapping[str, Facts]) -> Figure:
    """Plot perplexity by position, and click-through seen and predicted, on held-out pages."""
    figure = make_subplots(rows=1, cols=2, subplot_titles=("Conditional perplexity", "Click-through"))
    for colour, (corpus, models) in zip(_COLOURS, measured.items(), strict=False):
        for name, found in models.items():
            if found:
                dash = _DASHES[list(models).index(name) % len(_DASHES)]
                _add_lines(figure, f"{corpus}: {name}", found["positions"], colour, dash)
        _add_seen(figure, corpus, models, colour)
    figure.update_xaxes(title_text="position")
    figure.update_yaxes(tickformat=".0%", rangemode="tozero", col=2)
    return figure.update_layout(title="Click model on held-out result pages")


def _add_lines(figure: Figure, name: str, positions: Mapping[str, list[float]], colour: str, dash: str) -> None:
    style = {"mode": "lines", "line": {"color": colour, "dash": dash}, "legendgroup": name}
    for column, key in ((1, "conditional_perplexity"), (2, "predicted_click_through")):
        values = positions[key][:MAX_PLOTTED_POSITION]
        shown = list(range(1, len(values) + 1))
        figure.add_trace(Scatter(x=shown, y=values, name=name, showlegend=column == 1, **style), row=1, col=column)


def _add_seen(figure: Figure, corpus: str, models: Facts, colour: str) -> None:
    found = next((found for found in models.values() if found), None)
    if found:
        values = found["positions"]["click_through"][:MAX_PLOTTED_POSITION]
        shown = list(range(1, len(values) + 1))
        marker = {"mode": "markers", "marker": {"color": colour}}
        figure.add_trace(Scatter(x=shown, y=values, name=f"{corpus}: seen", **marker), row=1, col=2)
