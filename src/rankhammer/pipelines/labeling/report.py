"""The labeling report and its plots: small values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plotly.graph_objects import Bar, Figure, Scatter
from plotly.subplots import make_subplots

from rankhammer import plot_style
from rankhammer.schemas import LATER, PERIOD

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


def count_judgments(judgments: DataFrame, *, max_grade: int) -> Facts:
    """Count judgments, clusters, queries and grades of every corpus.

    Args:
        judgments: `schemas.JUDGMENTS`, read back from where they are kept.
        max_grade: The best grade.

    Returns:
        Corpus to n_judgments, n_graded, n_clusters, n_queries and `grades`: grade to number; where the log is cut
        by time n_later, too: judgments of days that are held out.
    """
    from pyspark.sql import functions as F

    later = [F.count_if(F.col(PERIOD) == LATER).alias("n_later")] if PERIOD in judgments.columns else []
    of_grade = [F.count_if(F.col("grade") == grade) for grade in range(max_grade + 1)]
    counts = judgments.groupBy("corpus").agg(
        F.count("*").alias("n_judgments"),
        F.count("grade").alias("n_graded"),
        F.count_distinct("query_cluster_id").alias("n_clusters"),
        F.count_distinct("query").alias("n_queries"),
        *later,
        F.array(F.count_if(F.col("grade").isNull()), *of_grade).alias("grades"),
    )
    # An action: the report is made of these counts. One row per corpus comes back.
    return {row["corpus"]: row.asDict() | {"grades": _named(row["grades"])} for row in sorted(counts.collect())}


def _named(counted: Sequence[int]) -> dict[str, int]:
    """Name the grades that there are; the first count is of what has none."""
    names = [NOT_GRADED, *map(str, range(len(counted) - 1))]
    return {name: n for name, n in zip(names, counted, strict=True) if n}


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
    """Plot how many judgments have each grade, one group of bars per corpus."""
    figure, colours = Figure(), plot_style.corpus_colours(counts)
    sizes = {corpus: counted["n_judgments"] for corpus, counted in counts.items()}
    for corpus in plot_style.largest_corpora(sizes, MAX_PLOTTED_CORPORA):
        grades, colour = counts[corpus]["grades"], colours[corpus]
        names = [f"grade {grade}" for grade in grades]
        figure.add_trace(Bar(name=corpus, x=names, y=list(grades.values()), marker_color=colour))
    x = "grade (none: too little evidence)"
    return plot_style.themed(figure, title="Judgments by grade", legend="corpus", x=x, y="number of judgments")


def click_model_fit(measured: Mapping[str, Facts]) -> Figure:
    """Plot perplexity by position, and click-through seen and predicted, on held-out pages."""
    panels = ("Conditional perplexity (1: each click foreseen)", "Click-through, predicted and seen")
    figure = make_subplots(rows=1, cols=2, subplot_titles=panels, horizontal_spacing=0.1)
    colours = plot_style.corpus_colours(measured)
    for corpus in sorted(measured)[:MAX_PLOTTED_CORPORA]:
        models, colour = measured[corpus], colours[corpus]
        for name, found in models.items():
            if found:
                dash = _DASHES[list(models).index(name) % len(_DASHES)]
                _add_lines(figure, f"{corpus}: {name}", found["positions"], colour, dash)
        _add_seen(figure, corpus, models, colour)
    title, x = "Click models on held-out result pages", "position on the result page (1: first)"
    plot_style.themed(figure, title=title, legend="corpus: click model", x=x, y="conditional perplexity")
    y = "clicks per shown document"
    return figure.update_yaxes(tickformat=".0%", rangemode="tozero", title_text=y, col=2)


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
