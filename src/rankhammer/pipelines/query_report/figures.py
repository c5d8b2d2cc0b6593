"""The query report's figure: the gain or loss of each query that it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plotly.graph_objects import Figure

    from rankhammer.evaluation.compared_queries import Measured


def gains_figure(
    queries: Mapping[str, Sequence[Mapping[str, Any]]], measured: Mapping[str, Measured], *, max_corpora: int = 5
) -> Figure:
    """Draw one bar a query: the ranker's value minus that of the order before.

    Args:
        queries: What `compare_queries` returned.
        measured: Corpus to how it was measured.
        max_corpora: The first of the corpora in name order are drawn.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    figure, colours = graph_objects.Figure(), plot_style.corpus_colours(queries)
    for corpus in sorted(queries)[:max_corpora]:
        # A horizontal bar chart is drawn from the bottom up: the largest gain stands on top.
        found = queries[corpus]
        names = [query["query"] for query in found]
        figure.add_bar(
            name=f"{corpus}, against {found[0]['against']}" if found else corpus,
            x=[query["difference"] for query in found],
            y=[[corpus] * len(found), names],
            orientation="h",
            marker_color=colours[corpus],
        )
    metric = next((one.metric for one in measured.values()), "the metric")
    title = f"{metric}, ranker minus the order before: the test queries that gain and lose most"
    x = f"difference in {metric} (-1 to 1)"
    return plot_style.themed(figure, title=title, legend="corpus, and the order before", x=x, y="corpus and query")
