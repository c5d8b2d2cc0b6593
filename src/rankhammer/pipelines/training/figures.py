"""The training stage's two figures: how well each system ranks, and what the ranker looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer import evaluation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plotly.graph_objects import Figure


def ndcg_figure(summary_rows: Sequence[Mapping[str, Any]], *, metric: str = "ndcg@10", max_corpora: int = 20) -> Figure:
    """Draw each system's mean with its interval, one group of bars a corpus and truth.

    Args:
        summary_rows: Rows of `evaluation.summarize` as mappings, any number of corpora.
        metric: The one to draw.
        max_corpora: The corpora with most queries are drawn; the others are left out.
    """
    from plotly import graph_objects

    means = [row for row in summary_rows if row["quantity"] == "mean" and row["metric"] == metric]
    corpora = _largest(means, max_corpora)
    figure = graph_objects.Figure()
    for system in sorted({row["system"] for row in means}, key=evaluation.system_order):
        rows = [row for row in means if row["system"] == system and row["corpus"] in corpora and row["n_queries"]]
        rows.sort(key=lambda row: (corpora.index(row["corpus"]), row["truth"]))
        figure.add_bar(
            name=system,
            x=[[row["corpus"] for row in rows], [row["truth"] for row in rows]],
            y=[row["mean"] for row in rows],
            error_y={"array": _reach(rows, "upper"), "arrayminus": _reach(rows, "lower")},
        )
    title = f"{metric} on held-out queries, with the interval from resampled query clusters"
    return figure.update_layout(title=title, barmode="group", yaxis_title=metric)


def importance_figure(
    importances: Mapping[str, Mapping[str, float]], *, max_features: int = 20, max_corpora: int = 20
) -> Figure:
    """Draw each feature's share of the gain, one bar a corpus.

    Args:
        importances: Corpus to feature name to share, 0 to 1.
        max_features: The features with the largest mean share are drawn.
        max_corpora: The first of the corpora in name order are drawn.
    """
    from plotly import graph_objects

    names = {name for shares in importances.values() for name in shares}
    total = {name: sum(shares.get(name, 0.0) for shares in importances.values()) for name in names}
    # A horizontal bar chart is drawn from the bottom up.
    largest = sorted(names, key=lambda name: (-total[name], name))[:max_features][::-1]
    figure = graph_objects.Figure()
    for corpus in sorted(importances)[:max_corpora]:
        shares = [importances[corpus].get(name, 0.0) for name in largest]
        figure.add_bar(name=corpus, x=shares, y=largest, orientation="h")
    return figure.update_layout(title="Feature importance", barmode="group", xaxis_title="share of the gain")


def _reach(rows: Sequence[Mapping[str, Any]], end: str) -> list[float]:
    """Length of each error bar; 0 where there is no interval."""
    return [0.0 if row[end] is None else abs(row[end] - row["mean"]) for row in rows]


def _largest(means: Sequence[Mapping[str, Any]], max_corpora: int) -> list[str]:
    n_queries: dict[str, int] = {}
    for row in means:
        n_queries[row["corpus"]] = max(n_queries.get(row["corpus"], 0), row["n_queries"])
    return sorted(n_queries, key=lambda corpus: (-n_queries[corpus], corpus))[:max_corpora]
