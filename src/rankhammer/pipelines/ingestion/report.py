"""The ingestion report and its plot, from small values."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from plotly.graph_objects import Figure, Scatter

from rankhammer import plot_style

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.click_logs import PositionRate

MAX_PLOTTED_POSITION = 50
_COUNTS = (
    *("n_read", "set_aside", "n_robot_serps", "n_robot_sessions", "n_abandoned", "robots", "sessions", "notes"),
    *("clicks", "records", "duplicates"),
)


def ingestion_facts(
    facts: Mapping[str, Mapping[str, Any]],
    counts: Mapping[str, Mapping[str, Any]],
    failures: Sequence[Mapping[str, str]],
) -> dict[str, Any]:
    """Put what was kept and what was left out side by side.

    Args:
        facts: Corpus to the facts of its kept pages.
        counts: Corpus to the counts taken before the write.
        failures: The corpora that were given up.

    Returns:
        The stage's report.
    """
    corpora = {
        corpus: {**facts.get(corpus, {"n_serps": 0}), **{name: counted[name] for name in _COUNTS}}
        for corpus, counted in sorted(counts.items())
    }
    return {"corpora": corpora, "failures": list(failures)}


def click_through_figure(rates: Sequence[PositionRate]) -> Figure:
    """Plot the share of shown documents that were clicked, by position, one line per corpus.

    Args:
        rates: In the order of corpus and position.
    """
    figure, colours = Figure(), plot_style.corpus_colours({rate.corpus for rate in rates})
    for corpus, group in groupby(rates, key=lambda rate: rate.corpus):
        line = list(group)
        figure.add_trace(
            Scatter(
                name=corpus,
                x=[rate.position for rate in line],
                y=[rate.click_through for rate in line],
                customdata=[[rate.n_impressions, rate.n_clicks] for rate in line],
                mode="lines+markers",
                line={"color": colours[corpus]},
                hovertemplate="position %{x}: %{y:.1%} of %{customdata[0]:,} shown were clicked",
            )
        )
    plot_style.themed(
        figure,
        title="Click-through by position",
        legend="corpus",
        x="position on the result page (1: first)",
        y="clicks per shown document",
    )
    return figure.update_yaxes(tickformat=".0%", rangemode="tozero")
