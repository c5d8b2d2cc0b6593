"""How a search went: what its trials reached one after the other, and which parameters did well."""

from __future__ import annotations

import math
from collections import Counter
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from rankhammer.training.curves import Curve, held

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plotly.graph_objects import Figure

    from rankhammer.training.search import Trial

MAX_CORPORA = 20
"""The first of the corpora in name order are drawn."""
LOG_RATIO = 20
"""Largest value over smallest one from which a parameter is drawn on a logarithmic scale."""
MAX_TICKS = 12
NO_ROUNDS = "No trial stopped early, or training.rounds_kept is 0"
_SYMBOLS = {"ok": "circle", "pruned": "circle-open"}


def history_of_trials(trials: Sequence[Trial], *, metric: str) -> Figure:
    """Draw each trial as a point, and each corpus's best one so far as a line.

    Args:
        trials: Of all corpora and candidates, those of a corpus together; failed ones are left out.
        metric: What the search maximises, such as ndcg@10.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    figure, colours = graph_objects.Figure(), plot_style.corpus_colours({trial.corpus for trial in trials})
    for corpus in sorted(colours)[:MAX_CORPORA]:
        drawn = [trial for trial in trials if trial.corpus == corpus and trial.loss is not None]
        drawn.sort(key=lambda trial: (trial.number, trial.ranker))
        figure.add_scatter(
            name=corpus,
            legendgroup=corpus,
            x=[trial.number for trial in drawn],
            y=[_ndcg(trial) for trial in drawn],
            text=[f"{trial.ranker}, {trial.status}" for trial in drawn],
            mode="markers",
            marker={"color": colours[corpus], "symbol": [_SYMBOLS[trial.status] for trial in drawn], "size": 8},
        )
        finished = [trial for trial in drawn if not trial.is_pruned]
        figure.add_scatter(
            name=f"{corpus}, best so far",
            legendgroup=corpus,
            showlegend=False,
            x=[trial.number for trial in finished],
            y=[*accumulate((_ndcg(trial) for trial in finished), max)],
            mode="lines",
            line={"color": colours[corpus], "shape": "hv"},
        )
    return plot_style.themed(
        figure,
        title=f"{metric} in cross-validation by trial; lines: the best so far, open circles: given up",
        legend="corpus",
        x="number of the trial; 0: the ranker's defaults",
        y=f"mean {metric} over folds (0 to 1)",
    )


def parallel_parameters(trials: Sequence[Trial], *, metric: str) -> Figure:
    """Draw each trial of the ranker that was searched most as a line through its parameters to what it reached.

    Args:
        trials: Of all corpora and candidates; failed and pruned ones, and those without parameters, are left out.
        metric: What the search maximises, such as ndcg@10.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    searched = [trial for trial in trials if trial.status == "ok" and trial.params]
    sizes = Counter(trial.ranker for trial in searched)
    ranker = min(sizes, key=lambda name: (-sizes[name], name), default="")
    corpora = sorted({trial.corpus for trial in searched if trial.ranker == ranker})[:MAX_CORPORA]
    drawn = [trial for trial in searched if trial.ranker == ranker and trial.corpus in corpora]
    figure = graph_objects.Figure()
    if drawn:
        names = sorted(set.intersection(*(set(trial.params) for trial in drawn)))
        # Plotly puts a white shadow behind the signs of these axes, on dark pages, too.
        text = {"color": plot_style.TEXT, "size": 11, "shadow": "none"}
        figure.add_parcoords(
            dimensions=[
                _categories("corpus", [trial.corpus for trial in drawn]),
                *(_dimension(name, [trial.params[name] for trial in drawn]) for name in names),
                _numbers(metric, [_ndcg(trial) for trial in drawn]),
            ],
            line=_line_by_corpus([trial.corpus for trial in drawn], {trial.corpus for trial in trials}),
            labelfont=text,
            tickfont=text,
            rangefont=text,
        )
    title = f"Parameters of {ranker} and {metric} in cross-validation" if drawn else "No parameters were searched"
    return plot_style.themed_without_axes(figure, title=title)


def metric_by_round(trials: Sequence[Trial], *, metric: str) -> Figure:
    """Draw the mean over folds by round, and from the worst fold to the best as a band, of each corpus's best trial.

    A fold that has stopped counts with its best value. Of the candidates, the one that was chosen is drawn, or else the
    best of those that stop early.

    Args:
        trials: Of all corpora and candidates.
        metric: What the search maximises, such as ndcg@10.
    """
    from plotly import graph_objects

    from rankhammer import plot_style

    figure, colours = graph_objects.Figure(), plot_style.corpus_colours({trial.corpus for trial in trials})
    for corpus in sorted(colours)[:MAX_CORPORA]:
        drawn = [trial for trial in trials if trial.corpus == corpus and _has_curves(trial)]
        if drawn:
            best = min(drawn, key=lambda trial: (not _is_chosen(trial), trial.loss or 0.0, trial.ranker, trial.number))
            figure.add_traces(_rounds_of(best, colours[corpus]))
    y = f"{metric} of the validation fold (0 to 1)"
    x = "rounds; the mark: as many as the final ranker has"
    title = f"{metric} by round in cross-validation: mean, and from the worst fold to the best"
    return plot_style.themed(figure, title=title if figure.data else NO_ROUNDS, legend="corpus", x=x, y=y)


def _has_curves(trial: Trial) -> bool:
    return trial.status == "ok" and bool(trial.curves) and all(curve.rounds for curve in trial.curves)


def _is_chosen(trial: Trial) -> bool:
    return trial.standing is not None and trial.standing.chosen


def _rounds_of(trial: Trial, colour: str) -> list[dict[str, Any]]:
    """Return the band, the line and the mark of a trial."""
    from rankhammer import plot_style

    rounds = sorted({number for curve in trial.curves for number in curve.rounds})
    folds = [held(curve, rounds) for curve in trial.curves]
    mean = [sum(values) / len(values) for values in zip(*folds, strict=True)]
    lowest, highest = ([end(values) for values in zip(*folds, strict=True)] for end in (min, max))
    name = f"{trial.corpus}: trial {trial.number} of {trial.ranker}"
    shared = {"type": "scatter", "legendgroup": trial.corpus}
    unlisted = shared | {"showlegend": False}
    n_rounds = trial.n_rounds or 1
    mark = held(Curve(tuple(rounds), tuple(mean)), [n_rounds])
    area = {"mode": "lines", "line": {"width": 0}, "fill": "toself", "fillcolor": plot_style.pale(colour)}
    dot = {"mode": "markers", "marker": {"color": colour, "size": 10, "symbol": "diamond"}}
    return [
        {"x": rounds + rounds[::-1], "y": highest + lowest[::-1], "hoverinfo": "skip", **area, **unlisted},
        {"name": name, "x": rounds, "y": mean, "mode": "lines", "line": {"color": colour}, **shared},
        {"name": f"{name}, rounds of the final ranker", "x": [n_rounds], "y": mark, **dot, **unlisted},
    ]


def _ndcg(trial: Trial) -> float:
    return -(trial.loss or 0.0)


def _line_by_corpus(of_lines: Sequence[str], corpora: set[str]) -> dict[str, Any]:
    """Colour lines by corpus, as in all other plots: a scale with one step per corpus."""
    from rankhammer import plot_style

    colours = plot_style.corpus_colours(corpora)
    shown = sorted(set(of_lines))
    ends = [place / len(shown) for place in range(len(shown) + 1)]
    scale = [[end, colours[corpus]] for corpus, *both in zip(shown, ends[:-1], ends[1:], strict=True) for end in both]
    # In the middle of each step: its ends belong to two of them.
    color = [shown.index(corpus) + 0.5 for corpus in of_lines]
    return {"color": color, "colorscale": scale, "cmin": 0, "cmax": len(shown), "showscale": False}


def _dimension(name: str, values: Sequence[Any]) -> dict[str, Any]:
    are_numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return _numbers(name, values) if are_numbers else _categories(name, [str(value) for value in values])


def _categories(name: str, values: Sequence[str]) -> dict[str, Any]:
    known = sorted(set(values))
    places = [known.index(value) for value in values]
    # One category alone would have an axis without a length.
    ends = [-0.5, len(known) - 0.5]
    return {"label": name, "values": places, "tickvals": [*range(len(known))], "ticktext": known, "range": ends}


def _numbers(name: str, values: Sequence[float]) -> dict[str, Any]:
    low, high = min(values), max(values)
    if low <= 0 or high / low < LOG_RATIO:
        return {"label": name, "values": [*values]} | ({"range": [low - 0.5, high + 0.5]} if low == high else {})
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    steps = (1, 2, 5) if 3 * (last - first) <= MAX_TICKS else (1,)
    marks = [step * 10.0**power for power in range(first, last + 1) for step in steps]
    marks = [mark for mark in marks if low <= mark <= high]
    return {
        "label": f"{name}, log",
        "values": [math.log10(value) for value in values],
        "tickvals": [math.log10(mark) for mark in marks],
        "ticktext": [f"{mark:g}" for mark in marks],
    }
