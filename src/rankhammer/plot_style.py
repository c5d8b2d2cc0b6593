"""How plots look: one theme for dark and light pages, a colour for each corpus and system, and the names of systems."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from plotly.graph_objects import Figure

COLOURS = (
    *("#4c8fd0", "#f0871f", "#3fa66b", "#e0575b", "#9a76c4"),
    *("#2fa9b0", "#d4a514", "#d9709a", "#a1765f", "#8a939c"),
)
"""Of corpora in name order; each is told from white and from a dark page by a contrast of 2 to 1 or more."""
TEXT, LINES = "#7d8590", "rgba(125, 133, 144, 0.3)"
SYSTEMS = {
    "logged": ("logged order", "#8a939c"),
    "baseline": ("baseline", "#d4a514"),
    "champion": ("current before", "#9a76c4"),
    "ranker": ("ranker", "#4c8fd0"),
    "oracle": ("trained on truth", "#3fa66b"),
}
"""System to its name in the closing table and its colour, in the order of that table."""
TRUTHS = {"reference": "reference judgments", "clicks": "judgments from clicks"}
_AXIS = {
    "gridcolor": LINES,
    "linecolor": TEXT,
    "zerolinecolor": LINES,
    "tickcolor": TEXT,
    "tickfont": {"color": TEXT},
    "title": {"font": {"color": TEXT}, "standoff": 12},
    "showline": True,
    "automargin": True,
}
_LAYOUT = {
    "paper_bgcolor": "rgba(0, 0, 0, 0)",
    "plot_bgcolor": "rgba(0, 0, 0, 0)",
    "font": {"color": TEXT, "size": 13},
    "title": {"font": {"color": TEXT, "size": 17}, "x": 0.02, "xanchor": "left"},
    "legend": {"font": {"color": TEXT}, "title": {"font": {"color": TEXT}}},
    "colorway": COLOURS,
    "xaxis": _AXIS,
    "yaxis": _AXIS,
    "margin": {"t": 70, "r": 20, "b": 60, "l": 70},
}


def themed(figure: Figure, *, title: str, legend: str, x: str, y: str, **layout: Any) -> Figure:
    """Give a figure the theme, a title, and names with units for its axes and legend.

    Args:
        figure: With all its traces and panels; it is changed.
        title: What is shown.
        legend: What a colour stands for.
        x: Name of every horizontal axis, with its unit.
        y: Name of the vertical axis of the first panel, with its unit.
        layout: More of plotly's layout, such as `barmode`.

    Returns:
        The figure. Panels beside the first one carry the colours themselves: kedro-viz repaints the first one alone.
    """
    _set_theme(figure)
    figure.update_layout(showlegend=True)
    figure.update_layout(title={"text": title}, legend={"title": {"text": legend}}, **layout)
    figure.update_xaxes(**_AXIS, title_text=x)
    figure.update_yaxes(**_AXIS)
    figure.update_layout(yaxis_title_text=y)
    return figure.update_annotations(font={"color": TEXT, "size": 14})


def themed_without_axes(figure: Figure, *, title: str) -> Figure:
    """Give a figure the theme and a title; its trace draws axes itself, with the names and fonts that it has.

    Args:
        figure: With its trace; it is changed.
        title: What is shown.
    """
    _set_theme(figure)
    return figure.update_layout(title={"text": title}, margin={"t": 110, "l": 90, "r": 90})


def _set_theme(figure: Figure) -> None:
    """Put the theme over plotly's own; to merge them takes most of what a figure takes, so that is done once."""
    from plotly import io

    # Plotly checks each property of a template again; these it has checked.
    figure.layout._validate = False
    try:
        figure.layout.template = _theme_over(str(io.templates.default))
    finally:
        figure.layout._validate = True


@cache
def _theme_over(_: str) -> Any:
    """Return the theme merged into plotly's default one of that name."""
    from plotly import graph_objects

    return graph_objects.Figure().update_layout(template={"layout": _LAYOUT}).layout.template


def pale(colour: str, opacity: float = 0.2) -> str:
    """Return a colour that lets what is behind it through.

    Args:
        colour: As #rrggbb.
        opacity: 0 to 1.
    """
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"


def bar_with_interval(colour: str, *, above: list[float], below: list[float]) -> dict[str, Any]:
    """Style bars whose intervals are seen: pale bars, and error bars in the full colour, also where they overlap.

    Args:
        colour: As #rrggbb.
        above: Length of each error bar above the bar's end.
        below: Likewise below.
    """
    return {
        "marker": {"color": pale(colour, 0.4), "line": {"color": colour, "width": 1}},
        "error_y": {"array": above, "arrayminus": below, "color": colour, "thickness": 2.5, "width": 7},
    }


def corpus_colours(corpora: Iterable[str]) -> dict[str, str]:
    """Return a colour for each corpus, the corpora in name order; beyond ten of them the colours begin again."""
    return {corpus: COLOURS[place % len(COLOURS)] for place, corpus in enumerate(sorted(corpora))}


def largest_corpora(sizes: Mapping[str, int], at_most: int) -> list[str]:
    """Choose corpora to draw: the largest ones, in name order.

    Args:
        sizes: Corpus to anything that can be counted.
        at_most: How many.
    """
    return sorted(sorted(sizes, key=lambda corpus: (-sizes[corpus], corpus))[:at_most])
