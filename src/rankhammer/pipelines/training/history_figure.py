"""What rankers of earlier runs reached, beside those of this one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from plotly.graph_objects import Figure

THIS_RUN = "this run"
RANKER = "ranker"

Interval = dict[str, Any]


def measured_by_run(
    history: Sequence[Mapping[str, Any]], report: Mapping[str, Any], *, max_runs: int
) -> list[tuple[str, dict[str, Interval]]]:
    """Return what each run's rankers reached, the oldest run first and this one last.

    Args:
        history: Records of runs, the newest first. Those that measured nothing, or by another metric, are left out.
        report: This run's, as `report.pack` returns it.
        max_runs: The newest of the earlier runs that are shown.

    Returns:
        Pairs of a run's name and its corpora: corpus to `mean`, `lower` and `upper` of the run's metric.
    """
    metric = report["metric"]
    earlier = []
    for record in history:
        corpora = record.get("figures", {}).get("training", {}) if record.get("metric") == metric else {}
        if found := _rankers(corpora, metric):
            earlier.append((f"{record['number']}: {str(record.get('ended', ''))[:10]}", found))
    return [*reversed(earlier[:max_runs]), (THIS_RUN, _rankers(report["corpora"], metric))]


def history_figure(
    history: Sequence[Mapping[str, Any]], report: Mapping[str, Any], *, max_runs: int = 30, max_corpora: int = 10
) -> Figure:
    """Draw the rankers' headline metric over the runs, one line a corpus, with intervals.

    Each run's figure is of its own test queries: data, folds or judgments may have changed in between.

    Args:
        history: As in `measured_by_run`.
        report: Likewise.
        max_runs: Likewise.
        max_corpora: The first of the corpora in name order are drawn.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    runs = measured_by_run(history, report, max_runs=max_runs)
    corpora = sorted({corpus for _, found in runs for corpus in found})
    figure, colours = graph_objects.Figure(), plot_style.corpus_colours(corpora)
    for corpus in corpora[:max_corpora]:
        points = [(name, found[corpus]) for name, found in runs if corpus in found]
        reach = {
            end: [0.0 if one[end] is None else abs(one[end] - one["mean"]) for _, one in points]
            for end in ("upper", "lower")
        }
        figure.add_scatter(
            name=corpus,
            x=[name for name, _ in points],
            y=[one["mean"] for _, one in points],
            mode="lines+markers",
            line={"color": colours[corpus]},
            error_y={"array": reach["upper"], "arrayminus": reach["lower"], "color": colours[corpus], "width": 5},
        )
    order = {"type": "category", "categoryorder": "array", "categoryarray": [name for name, _ in runs]}
    metric = report["metric"]
    plot_style.themed(
        figure,
        title=f"The ranker's {metric} by run, each on its own test queries",
        legend="corpus",
        x="number of the run, and the day on which it ended (UTC)",
        y=f"mean {metric} (0 to 1)",
    )
    return figure.update_xaxes(**order)


def _rankers(corpora: Mapping[str, Mapping[str, Any]], metric: str) -> dict[str, Interval]:
    found = {corpus: (facts.get(metric) or {}).get(RANKER) or {} for corpus, facts in corpora.items()}
    return {
        corpus: {"mean": one["mean"], "lower": one.get("lower"), "upper": one.get("upper")}
        for corpus, one in found.items()
        if one.get("mean") is not None
    }
