"""Plots read on dark and light pages, and call things as the closing table does."""

from __future__ import annotations

import pytest
from plotly.graph_objects import Figure
from plotly.subplots import make_subplots

from rankhammer import plot_style
from rankhammer.datasets import previews
from rankhammer.evaluation import systems
from rankhammer.runs import summary

PAGES = {"light": "#ffffff", "dark": "#161616"}


def luminance(colour: str) -> float:
    """WCAG 2.1's relative luminance."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_colours_are_told_from_dark_and_light_pages(page):
    marks = [*plot_style.COLOURS, *(colour for _, colour in plot_style.SYSTEMS.values())]
    assert min(contrast(colour, page) for colour in marks) >= 2
    assert contrast(plot_style.TEXT, page) >= 3.5


def test_systems_are_called_as_in_the_closing_table():
    # The ranker that is current until now is measured beside the evaluation, and has its row.
    assert tuple(name for name in plot_style.SYSTEMS if name != "champion") == systems.SYSTEMS
    assert {system: name for system, (name, _) in plot_style.SYSTEMS.items()} == summary.ORDERED_BY
    assert previews.SYSTEMS == summary.ORDERED_BY


def test_a_corpus_has_its_colour_whatever_the_order_in_which_corpora_come():
    assert plot_style.corpus_colours(["b", "a"]) == plot_style.corpus_colours(["a", "b"])
    assert plot_style.largest_corpora({"c": 3, "a": 1, "b": 2}, 2) == ["b", "c"]


def test_each_panel_has_the_theme_and_its_names():
    figure = make_subplots(rows=1, cols=2)
    figure.add_scatter(x=[1], y=[1], row=1, col=1)
    figure.add_scatter(x=[1], y=[1], row=1, col=2)
    layout = plot_style.themed(figure, title="t", legend="l", x="x", y="y").layout
    assert (layout.title.text, layout.legend.title.text) == ("t", "l")
    assert (layout.xaxis.title.text, layout.xaxis2.title.text, layout.yaxis.title.text) == ("x", "x", "y")
    assert layout.yaxis2.gridcolor == layout.yaxis.gridcolor == plot_style.LINES
    assert layout.yaxis2.tickfont.color == plot_style.TEXT


def test_the_theme_lies_over_plotlys_own_as_if_plotly_had_put_it_there():
    plain = Figure().update_layout(template={"layout": plot_style._LAYOUT})
    for _ in range(2):
        figure = plot_style.themed_without_axes(Figure(), title="t")
        assert figure.layout.template.to_plotly_json() == plain.layout.template.to_plotly_json()
    figure.layout.template.layout.font.size = 99
    assert plot_style.themed_without_axes(Figure(), title="t").layout.template.layout.font.size == 13
    with pytest.raises(ValueError, match="Invalid property"):
        figure.update_layout(unknown=1)
