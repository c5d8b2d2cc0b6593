"""One corpus's figures: where there is no number, the reason stands beside it."""

from __future__ import annotations

from typing import Any

import pytest

from rankhammer.evaluation.corpus_figures import corpus_figures
from rankhammer.evaluation.verdict import VerdictRule

RULE = VerdictRule(0.95, 20)


def _row(**changes: Any) -> dict[str, Any]:
    return {
        "truth": "clicks",
        "metric": "ndcg@10",
        "system": "ranker",
        "quantity": "mean",
        "against": None,
        "mean": 0.5,
        "lower": 0.4,
        "upper": 0.6,
        "n_queries": 12,
        "n_clusters": 9,
        "n_skipped": 3,
        "queries": "ab",
    } | changes


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([_row()], None),
        ([], "no ndcg@10: it has no test query"),
        (
            [_row(mean=None, lower=None, upper=None, n_queries=0, n_clusters=0, n_skipped=1200)],
            "no ndcg@10: none of its 1,200 test queries has a document of grade 1 or more",
        ),
        (
            [_row(lower=None, upper=None, n_clusters=1)],
            "no interval of ndcg@10: its test queries with a value are in 1 cluster",
        ),
    ],
)
def test_where_there_is_no_number_the_reason_is_said(rows, reason):
    assert corpus_figures(rows, "ndcg@10", RULE)["why_null"] == reason
