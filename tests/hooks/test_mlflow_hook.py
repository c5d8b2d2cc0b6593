"""What MLflow is given of a run: names that it takes, and every figure of a corpus; `make test-mlflow` asks MLflow."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest

from rankhammer import settings
from rankhammer.hooks.mlflow_hook import PLUGIN, MlflowHook, champion_metrics_of, metrics_of, named, tags_of

TAKEN = re.compile(r"^[/\w.\- :]*$")
"""Names of MLflow's metrics and tags."""
MEASURED = {"mean": 0.5, "lower": 0.4, "upper": None, "n_queries": 7}
REPORT = {
    "metric": "ndcg@10",
    "corpora": {
        "shop/de [x]": {
            "ndcg@10": {"ranker": MEASURED},
            "differences": {"ranker - logged": MEASURED},
            "metrics": {"clicks": {"map@5": {"ranker": MEASURED, "oracle": MEASURED | {"mean": None}}}},
            "n_test_queries": 7,
            "verdict": "better",
            "ranker": "linear",
            "truth": "clicks",
        }
    },
}
FOLDER = "shop:2Fde :5Bx:5D"


def test_each_figure_of_a_corpus_has_a_name_that_mlflow_takes():
    found = metrics_of(REPORT)
    assert found == {
        f"{FOLDER}/clicks/map_at_5/ranker": 0.5,
        f"{FOLDER}/ndcg_at_10/ranker": 0.5,
        f"{FOLDER}/ndcg_at_10/ranker_lower": 0.4,
        f"{FOLDER}/ndcg_at_10/ranker_minus_logged": 0.5,
        f"{FOLDER}/ndcg_at_10/ranker_minus_logged_lower": 0.4,
        f"{FOLDER}/n_test_queries": 7.0,
    }
    tags = tags_of(REPORT)
    assert tags == {f"verdict.{FOLDER}": "better", f"ranker.{FOLDER}": "linear", f"truth.{FOLDER}": "clicks"}
    assert all(map(TAKEN.match, (*found, *tags)))


def test_the_current_ranker_is_there_where_it_was_measured():
    compared = {"champion": "3f9c", "left_out": "", "ndcg@10": MEASURED, "difference": MEASURED}
    found = champion_metrics_of(
        {"metric": "ndcg@10", "corpora": {"a": compared, "b": {"champion": "77", "left_out": "lacks age"}}}
    )
    assert found == {
        f"a/ndcg_at_10/{order}{end}": value
        for order in ("champion", "ranker_minus_champion")
        for end, value in (("", 0.5), ("_lower", 0.4))
    }


@pytest.mark.parametrize("corpora", [("a/b", "a:b", "a%2Fb", "a:2Fb", "a b"), ("..", ".", "_x", "x", "日本")])
def test_no_two_corpora_share_a_name(corpora):
    names = [named(corpus) for corpus in corpora]
    assert len(set(names)) == len(corpora)
    assert all(TAKEN.match(name) and name not in (".", "..") for name in names)


def test_without_the_extra_there_is_no_such_hook():
    assert find_spec(PLUGIN) is None
    assert [hook for hook in settings.HOOKS if isinstance(hook, MlflowHook)] == []
