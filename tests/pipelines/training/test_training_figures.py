from __future__ import annotations

from typing import Any

import pytest

from rankhammer.pipelines.training import history_figure, report


def _mean_row(**values: Any) -> dict[str, Any]:
    row = {"corpus": "de", "metric": "ndcg@10", "truth": "clicks", "quantity": "mean", "n_queries": 3}
    return row | {"system": "ranker", "mean": 0.5, "lower": 0.4, "upper": 0.7} | values


def test_ndcg_figure_draws_means_with_their_intervals() -> None:
    rows = [
        _mean_row(),
        _mean_row(system="logged", mean=0.2, lower=None, upper=None),
        _mean_row(corpus="fr", n_queries=9, lower=0.0),
        _mean_row(metric="mrr@10"),
        _mean_row(quantity="difference"),
        _mean_row(system="oracle", n_queries=0, mean=None, lower=None, upper=None),
    ]
    logged, ranker, oracle = report.ndcg_figure(rows).data
    assert (logged.name, ranker.name, oracle.name) == ("logged order", "ranker", "trained on truth")
    assert ranker.x == (["de", "fr"], ["judgments from clicks"] * 2)
    assert ranker.error_y.array == pytest.approx([0.2, 0.2])
    assert ranker.error_y.arrayminus == pytest.approx([0.1, 0.5])
    assert logged.error_y.array == (0.0,)
    assert oracle.y == ()


def test_importance_figure_draws_the_largest_features_from_the_top_down() -> None:
    figure = report.importance_figure({"de": {"a": 0.2, "b": 0.7, "c": 0.1}}, max_features=2)
    assert figure.data[0].y == ("b", "a")
    assert figure.data[0].x == (0.7, 0.2)
    assert figure.layout.yaxis.autorange == "reversed"


def _reached(mean: float | None) -> dict[str, Any]:
    return {"ndcg@10": {"ranker": {"mean": mean, "lower": None if mean is None else mean - 0.1, "upper": None}}}


def test_rankers_of_earlier_runs_stand_before_this_one() -> None:
    newest = {"number": 4, "metric": "ndcg@10", "ended": "2026-11-04T09:00:00+00:00"}
    history = [
        newest | {"figures": {"training": {"de": _reached(0.7), "fr": _reached(0.3)}}},
        newest | {"number": 3, "metric": "mrr@10", "figures": {"training": {"de": {"mrr@10": {}}}}},
        newest | {"number": 2, "figures": {"ingestion": {"de": {"n_serps": 3}}}},
        newest | {"number": 1, "figures": {"training": {"de": _reached(0.6), "fr": _reached(None)}}},
    ]
    report = {"metric": "ndcg@10", "corpora": {"de": _reached(0.8)}}
    de, fr = history_figure.history_figure(history, report).data
    assert (de.name, de.x, de.y) == ("de", ("1: 2026-11-04", "4: 2026-11-04", "this run"), (0.6, 0.7, 0.8))
    assert de.error_y.arrayminus == pytest.approx([0.1] * 3)
    assert de.error_y.array == (0.0,) * 3
    assert (fr.x, fr.y) == (("4: 2026-11-04",), (0.3,))
    (only_newest, _) = history_figure.history_figure(history, report, max_runs=1).data
    assert only_newest.x == ("4: 2026-11-04", "this run")
