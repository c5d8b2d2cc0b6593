from __future__ import annotations

from typing import Any

import pytest

from rankhammer.pipelines.training import report


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
