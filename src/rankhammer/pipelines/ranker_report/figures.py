"""Figures of the ranker report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plotly.graph_objects import Figure

    Rows = Sequence[Mapping[str, Any]]
    Found = Mapping[str, Mapping[str, Any]]

MAX_CORPORA = 6
"""The first of the corpora in name order are drawn."""
MAX_FEATURES = 20
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")


def segment_figure(rows: Rows) -> Figure:
    """Draw the difference to the logged order, or the baseline where it was not measured, on each segment.

    Args:
        rows: What `segments.with_holm` returned, with corpus; filled marks are significant.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    figure, corpora = graph_objects.Figure(), sorted({row["corpus"] for row in rows})
    colours = plot_style.corpus_colours(corpora)
    for corpus in corpora[:MAX_CORPORA]:
        mine = [row for row in rows if row["corpus"] == corpus]
        against = "logged" if any(row["against"] == "logged" for row in mine) else "baseline"
        drawn = [row for row in mine if row["against"] == against]
        figure.add_scatter(
            name=f"{corpus}, against {plot_style.SYSTEMS[against][0]}",
            mode="markers",
            x=[row["difference"] for row in drawn],
            y=[_segment(row) for row in drawn],
            text=[f"{row['n_queries']} queries" for row in drawn],
            error_x=_reach(drawn, "difference", colours[corpus]),
            marker={
                "color": colours[corpus],
                "size": 9,
                "symbol": ["circle" if row["is_significant"] else "circle-open" for row in drawn],
            },
        )
    title = "What the ranker gains on each segment; filled: significant after Holm's correction, of enough queries"
    x = "difference of the headline metric"
    return plot_style.themed(figure, title=title, legend="corpus", x=x, y="segment").update_yaxes(autorange="reversed")


def importance_figure(found: Found) -> Figure:
    """Draw how much each feature moves documents within a query.

    Args:
        found: What `explaining.explain_rankers` returned.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    figure, colours = graph_objects.Figure(), plot_style.corpus_colours(found)
    for corpus in sorted(found)[:MAX_CORPORA]:
        drawn = found[corpus]["importance"][:MAX_FEATURES]
        figure.add_bar(
            name=corpus,
            orientation="h",
            x=[row["mean"] for row in drawn],
            y=[row["feature"] for row in drawn],
            error_x=_reach(drawn, "mean", plot_style.TEXT),
            marker_color=colours[corpus],
        )
    title = "How far each feature moves documents within a query (Shapley values)"
    x = "mean |contribution - its mean in the query|, of the score"
    themed = plot_style.themed(figure, title=title, legend="corpus", x=x, y="feature", barmode="group")
    return themed.update_yaxes(autorange="reversed")


def dependence_figure(found: Found) -> Figure:
    """Draw how the mean score follows a feature; values as shares of the way from the smallest to the largest.

    Args:
        found: What `explaining.explain_rankers` returned.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    figure, colours = graph_objects.Figure(), plot_style.corpus_colours(found)
    for corpus in sorted(found)[:MAX_CORPORA]:
        for place, (feature, rows) in enumerate(found[corpus]["dependence"].items()):
            figure.add_scatter(
                name=f"{corpus}: {feature}",
                mode="lines+markers",
                x=[at / max(1, len(rows) - 1) for at in range(len(rows))],
                y=[row["mean"] for row in rows],
                text=[f"{feature} = {row['value']:g}" for row in rows],
                error_y=_reach(rows, "mean", colours[corpus]),
                line={"color": colours[corpus], "dash": _DASHES[place % len(_DASHES)]},
            )
    title = "How the mean score follows a feature, all others as they are (partial dependence)"
    x = "quantile of the feature's values (0 to 1)"
    return plot_style.themed(figure, title=title, legend="corpus: feature", x=x, y="score less that at the first value")


def curve_figure(found: Found, *, metric: str, parameter: str) -> Figure:
    """Draw the metric on the test split by the number of training queries, a line per size.

    Args:
        found: What `held_out_curves.measure_sizes` returned.
        metric: What was measured.
        parameter: What sizes are sizes of.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    figure, colours = graph_objects.Figure(), plot_style.corpus_colours(found)
    for corpus in sorted(found)[:MAX_CORPORA]:
        curves = found[corpus]["curves"]
        for place, value in enumerate(sorted({row["value"] for row in curves})):
            drawn = [row for row in curves if row["value"] == value]
            figure.add_scatter(
                name=f"{corpus}, {parameter} {value:g}",
                mode="lines+markers",
                x=[row["n_queries"] for row in drawn],
                y=[row["mean"] for row in drawn],
                error_y=_reach(drawn, "mean", colours[corpus]),
                line={"color": colours[corpus], "dash": _DASHES[place % len(_DASHES)]},
            )
    answers = [
        f"{corpus}: {found[corpus]['more_data']['answer']}" for corpus in sorted(found) if found[corpus]["more_data"]
    ]
    title = f"Is more data worth it? {'; '.join(answers[:MAX_CORPORA])}"
    return plot_style.themed(
        figure, title=title, legend="corpus, size", x="training queries", y=f"{metric} on the test split"
    )


def size_figure(found: Found, *, metric: str, parameter: str) -> Figure:
    """Draw the metric in cross-validation by size; the chosen size is filled.

    Args:
        found: What `held_out_curves.measure_sizes` returned.
        metric: What was measured.
        parameter: What sizes are sizes of.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    figure, colours = graph_objects.Figure(), plot_style.corpus_colours(found)
    for corpus in sorted(found)[:MAX_CORPORA]:
        rows = found[corpus]["sizes"]
        figure.add_scatter(
            name=corpus,
            mode="lines+markers",
            x=[row["size"] for row in rows],
            y=[row["mean"] for row in rows],
            error_y=_reach(rows, "mean", colours[corpus]),
            line={"color": colours[corpus]},
            marker={"size": 11, "symbol": ["circle" if row["is_chosen"] else "circle-open" for row in rows]},
        )
    title = "The smallest size within one standard error of the best (filled)"
    return plot_style.themed(figure, title=title, legend="corpus", x=parameter, y=f"{metric} in cross-validation")


def _segment(row: Mapping[str, Any]) -> str:
    return str(row["value"]) if row["segment"] == row["value"] else f"{row['segment']}: {row['value']}"


def _reach(rows: Rows, mean: str, colour: str) -> dict[str, Any]:
    """Style error bars; of length 0 where there is no interval."""
    ends = {end: [0.0 if row[end] is None else abs(row[end] - row[mean]) for row in rows] for end in ("upper", "lower")}
    return {"array": ends["upper"], "arrayminus": ends["lower"], "color": colour}
