"""The search for hyperparameters: how it went, and which values did well."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.charts import LINE, POINTS, Plot, Series, parallel
from rankhammer.dashboard.shapes import mapping, number, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.dashboard.results import Results
    from rankhammer.dashboard.tables import Tables

MOST_LISTED = 20
MOST_LINES = 200


def view(results: Results, tables: Tables, run: int) -> dict[str, Any]:
    """Describe the trials of a run.

    Args:
        results: Of an environment.
        tables: To ask.
        run: Number in the history.
    """
    table = results.table("tuning_trials", run)
    rows = [] if table.fault else tables.ask("trials", table)
    corpora = sorted({row["corpus"] for row in rows})
    return {"fault": table.fault, "corpora": [_corpus(name, rows) for name in corpora], "n_trials": len(rows)}


def _corpus(name: str, every: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    rows = [
        {**row, "score": _score(row["loss"]), "shown": _shown(row["params"])} for row in every if row["corpus"] == name
    ]
    done = [row for row in rows if row["score"] is not None]
    best = sorted(done, key=lambda row: -row["score"])
    lines, ends, ranker = _parallel(done)
    return {
        "name": name,
        "plot": _history(name, done),
        "best": best[:MOST_LISTED],
        "failed": [row for row in rows if row["score"] is None][:MOST_LISTED],
        "lines": lines,
        "ends": ends,
        "ranker": ranker,
    }


def _score(loss: object) -> float | None:
    found = number(loss)
    return None if found is None else -found


def _history(corpus: str, rows: Sequence[Mapping[str, Any]]) -> Plot | None:
    rankers = sorted({row["ranker"] for row in rows})
    points = [
        Series(ranker, {row["trial"]: row["score"] for row in rows if row["ranker"] == ranker}, POINTS)
        for ranker in rankers
    ]
    best: dict[float, float] = {}
    for row in sorted(rows, key=lambda row: row["trial"]):
        best[row["trial"]] = max(row["score"], *best.values(), row["score"])
    title = f"{corpus}: score of each trial, and the best so far"
    x, y = "number of the trial (0: the ranker's defaults)", "mean over folds (0 to 1)"
    return Plot(title, x, y, [*points, Series("best so far", best, LINE)]) if rows else None


def _parallel(rows: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], dict[str, tuple[float, float]], str]:
    """Lay out the parameters that are numbers of the ranker with the most trials, its score last."""
    counts = {row["ranker"]: sum(other["ranker"] == row["ranker"] for other in rows) for row in rows}
    ranker = max(sorted(counts), key=lambda name: counts[name], default="")
    shown = sorted((row for row in rows if row["ranker"] == ranker), key=lambda row: row["score"])[-MOST_LINES:]
    params = [_numbers(row["params"]) for row in shown]
    axes = sorted(set.intersection(*(set(one) for one in params))) if params else []
    values = [{**one, "score": row["score"]} for one, row in zip(params, shown, strict=True)]
    lines, ends = parallel(values, [*axes, "score"])
    n = max(1, len(lines))
    drawn = [{"points": line, "level": min(4, 5 * place // n)} for place, line in enumerate(lines)]
    return (drawn, ends, ranker) if axes and len(shown) > 1 else ([], {}, ranker)


def _shown(params: object) -> str:
    """Write parameters for people: four digits are enough."""
    try:
        found = mapping(json.loads(text(params) or "{}"))
    except ValueError:
        return text(params)
    values = {name: one if (value := number(one)) is None else f"{value:.4g}" for name, one in found.items()}
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "the ranker's defaults"


def _numbers(params: object) -> dict[str, float]:
    try:
        found = mapping(json.loads(text(params) or "{}"))
    except ValueError:
        return {}
    return {name: value for name, one in found.items() if (value := number(one)) is not None}
