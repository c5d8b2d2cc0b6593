from __future__ import annotations

from typing import Any

import pytest

from rankhammer.pipelines.training import figures


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
    logged, ranker, oracle = figures.ndcg_figure(rows).data
    assert (logged.name, ranker.name, oracle.name) == ("logged", "ranker", "oracle")
    assert ranker.x == (["fr", "de"], ["clicks", "clicks"])
    assert ranker.error_y.array == pytest.approx([0.2, 0.2])
    assert ranker.error_y.arrayminus == pytest.approx([0.5, 0.1])
    assert logged.error_y.array == (0.0,)
    assert oracle.y == ()


def test_importance_figure_draws_the_largest_features_from_the_top_down() -> None:
    figure = figures.importance_figure({"de": {"a": 0.2, "b": 0.7, "c": 0.1}}, max_features=2)
    assert figure.data[0].y == ("a", "b")
    assert figure.data[0].x == (0.2, 0.7)
