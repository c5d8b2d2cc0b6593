"""Rules of the files for Vespa, with a scorer written after how Vespa turns a dump into a ranking expression."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from rankhammer.errors import ExportError
from rankhammer.exporters.targets.vespa import Vespa, VespaOptions

if TYPE_CHECKING:
    from collections.abc import Callable

MATCH = {"type": "match", "name": "title_match", "field": "title"}
SOLD = {"type": "field_value", "name": "sold", "field": "sold", "modifier": "log1p", "missing": 2.0}
LENGTH = {"type": "query_length", "name": "n_terms"}
HOSTILE_NAMES = {
    "grid": "bm25(title)",
    "neighbours": "nativeRank(body)",
    "skewed": "ltr_skewed",
    "n_terms": "query(query_length_english)",
    "is_new": "ltr_is_new",
    "below_zero": "ltr_below_zero",
    "large": "ltr_large",
}


def exporter(**rank_features: str) -> Vespa:
    return Vespa(VespaOptions(rank_features=rank_features))


def vespa_score(trees: list[dict[str, Any]], document: dict[str, float], kind: type[np.floating[Any]]) -> float:
    """Evaluate `if (feature < threshold, yes, no)`, turned round where an absent value (NaN) goes to yes."""
    total = 0.0
    for tree in trees:
        node = tree
        while "children" in node:
            value, limit = kind(document[node["split"]]), kind(node["split_condition"])
            yes = not value >= limit if node["missing"] == node["yes"] else value < limit
            first, second = node["children"]
            node = first if yes == (first["nodeid"] == node["yes"]) else second
        total += float(kind(node["leaf"]))
    return total


@pytest.mark.parametrize("kind", [np.float32, np.float64], ids=["compiled forest", "interpreted"])
def test_an_independent_scorer_gives_the_boosters_scores_on_hostile_vectors(hostile: Any, kind: Any) -> None:
    chosen = exporter(neighbours="nativeRank(body)")
    files = chosen.write(hostile.ranker)
    trees, names = json.loads(files["model.json"]), hostile.ranker.feature_set.names

    theirs = [HOSTILE_NAMES[name] for name in names]
    scores = [vespa_score(trees, dict(zip(theirs, row, strict=True)), kind) for row in hostile.features.tolist()]

    # The only difference is that the booster adds up in 32 bits.
    np.testing.assert_allclose(scores, hostile.margins, rtol=0, atol=1e-5)
    np.testing.assert_allclose(chosen.score(files, hostile.features, names), scores, rtol=0, atol=1e-12)


def test_the_independent_scorer_notices_thresholds_with_few_digits(hostile: Any) -> None:
    trees = json.loads(exporter(neighbours="nativeRank(body)").write(hostile.ranker)["model.json"])
    waiting = list(trees)
    while waiting:
        node = waiting.pop()
        waiting += node.get("children", [])
        if "split_condition" in node:
            node["split_condition"] = float(str(np.float32(node["split_condition"])))

    theirs = [HOSTILE_NAMES[name] for name in hostile.ranker.feature_set.names]
    rows = hostile.features.tolist()
    scores = [vespa_score(trees, dict(zip(theirs, row, strict=True)), np.float64) for row in rows]

    assert np.abs(scores - hostile.margins).max() > 1e-3


def test_an_absent_value_scores_alike_as_0_and_by_default_direction(absent_left: Any) -> None:
    trees = json.loads(exporter().write(absent_left.ranker)["model.json"])

    scores = [vespa_score(trees, {"bm25(title)": value}, np.float64) for value in (0.0, math.nan)]

    assert np.isnan(absent_left.features[0, 0])
    np.testing.assert_allclose(scores, absent_left.margins[[0, 0]], rtol=0, atol=1e-6)


def test_the_base_score_is_the_first_tree_and_no_constant_follows(hostile: Any) -> None:
    trees = json.loads(exporter().write(hostile.ranker)["model.json"])

    assert trees[0] == {"nodeid": 0, "leaf": float(np.float32(0.3))}
    assert len(trees) == 1 + 40
    assert "children" in trees[-1]


def test_the_profile_declares_inputs_and_functions_and_reranks_with_the_model(make_ranker: Callable[..., Any]) -> None:
    mixed = {"type": "expression", "name": "mixed", "expression": "abs(title_match - sold) / n_terms"}
    ranker = make_ranker("reg:squarederror", n_trees=40, features=(MATCH, SOLD, LENGTH, mixed)).ranker

    head, *lines = exporter().write(ranker)["rank_profile.sd"].decode().splitlines()

    assert head.startswith("rank-profile rankhammer_main_")
    sold = "log10((1.0 + if (isNan(attribute(sold)) == 1, 2.0, attribute(sold))))"
    mixed_text = "(fabs((bm25(title) - ltr_sold)) / query(query_length_english))"
    assert "\n".join(lines) == (
        f"""\
    inputs {{
        query(query_length_english) double: 0.0
    }}
    function ltr_sold() {{
        expression: if (fabs({sold}) <= 3.4028235e+38, {sold}, 0)
    }}
    function ltr_mixed() {{
        expression: if (fabs({mixed_text}) <= 3.4028235e+38, {mixed_text}, 0)
    }}
    first-phase {{
        expression: bm25(title)
    }}
    second-phase {{
        expression: xgboost("model.json")
        rerank-count: 100
    }}
}}"""
    )


def test_a_phrase_needs_a_rank_feature_of_its_own(make_ranker: Callable[..., Any]) -> None:
    phrase = {"type": "phrase", "name": "title_phrase", "field": "title"}
    ranker = make_ranker(features=(MATCH, phrase)).ranker

    with pytest.raises(ExportError, match="'title_phrase' is of type 'phrase', for which Vespa has no"):
        exporter().write(ranker)
    facts = exporter(title_phrase="fieldMatch(title).proximity")
    files = facts.write(ranker)
    assert facts.facts(ranker, files)["rank_features"]["title_phrase"] == "fieldMatch(title).proximity"


def test_two_features_are_never_the_same_rank_feature(make_ranker: Callable[..., Any]) -> None:
    exact = {**MATCH, "name": "title_exact", "analyzer": "standard"}

    with pytest.raises(ExportError, match=r"'title_match' and 'title_exact' would both be bm25\(title\)"):
        exporter().write(make_ranker(features=(MATCH, exact)).ranker)


def test_an_option_for_an_unknown_feature_is_refused_with_the_closest_name(trained: Any) -> None:
    with pytest.raises(ExportError, match="title_match") as caught:
        exporter(title_mach="bm25(title)").write(trained.ranker)

    assert "'title_match'" in caught.value.hint


def test_a_field_that_vespa_cannot_have_is_refused(make_ranker: Callable[..., Any]) -> None:
    with pytest.raises(ExportError, match="'a b' is no name of a field"):
        exporter().write(make_ranker(features=({**MATCH, "field": "a b"},)).ranker)


def test_facts_say_how_the_files_were_proved(hostile: Any) -> None:
    chosen = exporter(neighbours="nativeRank(body)")

    facts = chosen.facts(hostile.ranker, chosen.write(hostile.ranker))

    assert facts["rank_features"] == HOSTILE_NAMES
    assert facts["query_params"] == ["query_length_english"]
    assert facts["proved_by"] == "file only"
