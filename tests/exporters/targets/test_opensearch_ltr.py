"""Rules of the files for OpenSearch's LTR plugin."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from rankhammer.errors import ExportError
from rankhammer.exporters.ir.with_missing_rule import opensearch_rule
from rankhammer.exporters.targets import ltr_plugin
from rankhammer.exporters.targets.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions
from rankhammer.feature_sets.dialects.ltr_features import search_params

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rankhammer.exporters import TrainedRanker

SPLIT_KEYS = {"nodeid", "depth", "split", "split_condition", "yes", "no", "missing", "children"}


def exporter(**options: Any) -> OpenSearchLtr:
    return OpenSearchLtr(OpenSearchLtrOptions(**options))


def trees_of(files: dict[str, bytes]) -> list[dict[str, Any]]:
    model = json.loads(files["model.json"])["model"]["model"]
    assert model["type"] == "model/xgboost+json"
    return json.loads(model["definition"])


def nodes_of(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield tree
    for child in tree.get("children", []):
        yield from nodes_of(child)


def stored(files: dict[str, bytes]) -> dict[str, dict[str, Any]]:
    return {feature["name"]: feature for feature in json.loads(files["feature_set.json"])["featureset"]["features"]}


def repeated(ranker: TrainedRanker, n: int) -> TrainedRanker:
    """Return a ranker with all of its trees so many times."""
    forest, large = ranker.forest, replace(ranker)
    shift = np.arange(n)[:, None] * len(forest.feature)
    places = {key: (getattr(forest, key) + shift).ravel() for key in ("roots", "left", "right")}
    same = ("feature", "threshold", "default_left", "value", "depth")
    numbers = {key: np.tile(getattr(forest, key), n) for key in same}
    vars(large)["forest"] = replace(forest, **places, **numbers)
    return large


def model_name(files: dict[str, bytes]) -> str:
    return json.loads(files["model.json"])["model"]["name"]


def test_nodes_have_exactly_the_plugins_keys_and_children_in_the_order_yes_no(trained: Any) -> None:
    for tree in trees_of(exporter().write(trained.ranker)):
        for node in nodes_of(tree):
            assert node.keys() == ({"nodeid", "leaf"} if "leaf" in node else SPLIT_KEYS)
            if "leaf" not in node:
                assert [child["nodeid"] for child in node["children"]] == [node["yes"], node["no"]]
                assert node["missing"] in (node["yes"], node["no"])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"gain": 1.5}, "has keys"),
        ({"leaf": 1.5}, "has keys"),
        ({"yes": 2, "no": 1}, "not in the order yes, no"),
    ],
)
def test_a_file_that_the_plugin_would_refuse_is_not_scored(trained: Any, change: dict[str, Any], words: str) -> None:
    files = exporter().write(trained.ranker)
    model, trees = json.loads(files["model.json"]), trees_of(files)
    trees[1].update(change)
    model["model"]["model"]["definition"] = json.dumps(trees)
    broken = {**files, "model.json": json.dumps(model).encode()}

    with pytest.raises(ExportError, match=words):
        exporter().score(broken, trained.features, trained.ranker.feature_set.names)


def test_trees_are_the_boosters_own_dump_between_base_score_and_constant(make_ranker: Callable[..., Any]) -> None:
    trained = make_ranker("reg:squarederror", base_score=0.625)
    dumped = [json.loads(tree) for tree in trained.ranker.booster.get_dump(dump_format="json")]

    first, *parsed, last = trees_of(exporter().write(trained.ranker))

    assert first == {"nodeid": 0, "leaf": 0.625}
    assert set(last) == {"nodeid", "leaf"}
    assert len(parsed) == len(dumped)
    for ours, theirs in zip(parsed, dumped, strict=True):
        for mine, dump in zip(nodes_of(ours), nodes_of(theirs), strict=True):
            assert {key: mine[key] for key in mine.keys() - {"children", "split_condition", "leaf"}} == {
                key: dump[key] for key in dump.keys() - {"children", "split_condition", "leaf"}
            }
            number = "leaf" if "leaf" in mine else "split_condition"
            assert np.float32(mine[number]) == np.float32(dump[number])


def test_the_constant_lifts_the_smallest_possible_sum_to_zero_or_above(trained: Any) -> None:
    *trees, constant = trees_of(exporter().write(trained.ranker))
    smallest = sum(min(node["leaf"] for node in nodes_of(tree) if "leaf" in node) for tree in trees)

    assert smallest < 0
    assert 0 <= smallest + constant["leaf"] < 1.001
    assert constant["leaf"] == int(constant["leaf"])


def test_a_ranker_that_is_never_negative_gets_no_constant(make_ranker: Callable[..., Any]) -> None:
    ranker = make_ranker("reg:squarederror", base_score=100.0, learning_rate=0.01).ranker

    assert trees_of(exporter().write(ranker))[-1]["leaf"] == 0


def test_a_score_below_zero_is_refused_when_the_constant_is_too_small(trained: Any) -> None:
    files = exporter().write(trained.ranker)
    model = json.loads(files["model.json"])
    trees = json.loads(model["model"]["model"]["definition"])
    trees[-1]["leaf"] = 0.0
    model["model"]["model"]["definition"] = json.dumps(trees)
    files["model.json"] = json.dumps(model).encode()

    with pytest.raises(ExportError, match="below zero"):
        exporter().score(files, trained.features, trained.ranker.feature_set.names)


def test_scores_equal_the_boosters_to_the_last_bit(trained: Any) -> None:
    files = exporter().write(trained.ranker)

    scores = exporter().score(files, trained.features, trained.ranker.feature_set.names)

    np.testing.assert_array_equal(scores, trained.margins.astype(np.float64))


@pytest.mark.parametrize("name", ["title_match", "body_phrase", "popularity"])
def test_a_template_matches_every_document_so_that_its_feature_is_never_absent(trained: Any, name: str) -> None:
    template = stored(exporter().write(trained.ranker))[name]["template"]

    text = {"bool": {"must": [{"match_all": {"boost": 0}}]}}
    assert template.get("function_score", {}).get("query") == {"match_all": {}} or (
        template["bool"]["must"] == text["bool"]["must"] and "filter" not in template["bool"]
    )


def test_each_feature_type_has_its_template(trained: Any) -> None:
    features = stored(exporter().write(trained.ranker))
    query = {"query": "{{keywords}}", "analyzer": "english"}

    assert features["title_match"]["template"]["bool"]["should"] == [{"match": {"title": query}}]
    assert features["body_phrase"]["template"]["bool"]["should"] == [{"match_phrase": {"body": query}}]
    assert features["popularity"]["template"]["function_score"] == {
        "query": {"match_all": {}},
        "boost_mode": "replace",
        "field_value_factor": {"field": "popularity", "modifier": "log1p", "missing": 0.0},
    }
    assert features["n_terms"]["template"] == {"match_all": {"boost": "{{query_length_english}}"}}
    assert features["n_terms"]["params"] == ["query_length_english"]
    assert features["mixed"] == {
        "name": "mixed",
        "params": [],
        "template_language": "derived_expression",
        "template": "abs(title_match + 2 * ln(1 + body_phrase)) <= 3.4028235e+38 "
        "? title_match + 2 * ln(1 + body_phrase) : 0",
    }


def test_only_features_that_trees_use_and_their_operands_are_stored(make_ranker: Callable[..., Any]) -> None:
    ranker = make_ranker("reg:squarederror", n_trees=1, max_depth=1).ranker

    assert ranker.forest.used_features() == {"mixed"}
    assert list(stored(exporter().write(ranker))) == ["title_match", "body_phrase", "mixed"]


def test_a_ranker_that_uses_no_feature_keeps_the_first(make_ranker: Callable[..., Any]) -> None:
    ranker = make_ranker("reg:squarederror", gamma=1e6).ranker

    assert list(stored(exporter().write(ranker))) == ["title_match"]


def test_names_follow_the_content(trained: Any, make_ranker: Callable[..., Any]) -> None:
    first = model_name(exporter().write(trained.ranker))

    assert first == model_name(exporter().write(trained.ranker))
    assert first.startswith("rankhammer_main_")
    assert first != model_name(exporter().write(make_ranker(n_trees=9).ranker))
    assert first != model_name(exporter().write(replace(trained.ranker, corpus="Main")))


@pytest.mark.parametrize("corpus", ["de/Wiki", "ärzte", "x" * 500])
def test_names_are_plain_and_short_whatever_the_corpus(trained: Any, corpus: str) -> None:
    name = model_name(exporter().write(replace(trained.ranker, corpus=corpus)))

    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert len(name) <= 64


def test_an_index_option_sends_validation_with_an_example_of_every_parameter(trained: Any) -> None:
    body = json.loads(exporter(index="shop").write(trained.ranker)["feature_set.json"])

    params = {param for feature in body["featureset"]["features"] for param in feature["params"]}
    assert body["validation"]["index"] == "shop"
    assert body["validation"]["params"].keys() == params
    assert "validation" not in json.loads(exporter().write(trained.ranker)["feature_set.json"])


def test_the_example_query_reranks_at_least_what_it_shows(trained: Any) -> None:
    files = exporter(window_size=5, store="team_a").write(trained.ranker)
    query = json.loads(files["rescore_query.json"])
    ranked = query["rescore"]["query"]["rescore_query"]["sltr"]

    assert query["rescore"]["window_size"] >= query["size"] == 5
    assert query["query"]["multi_match"]["fields"] == ["title", "body"]
    assert ranked["model"] == model_name(files)
    assert ranked["store"] == "team_a"
    assert ranked["params"].keys() == {"keywords", "query_length_english"}


@pytest.mark.parametrize(
    ("version", "rule"),
    [("2.19", "zero"), ("3.1", "zero"), ("3.2", "right"), ("3.6.0", "right"), ("3.8", "default"), ("3.10", "default")],
)
def test_versions_have_their_missing_rule(version: str, rule: str) -> None:
    assert opensearch_rule(version) == rule


@pytest.mark.parametrize("version", ["2.19", "3.6"])
def test_a_feature_that_may_be_absent_is_refused_where_the_engine_sends_it_elsewhere(
    make_ranker: Callable[..., Any], version: str
) -> None:
    ranker = make_ranker("reg:squarederror", keep=("popularity",), n_trees=30, features=make_ranker_features()).ranker

    with pytest.raises(ExportError, match=r"tree \d+, node \d+ .*'popularity'"):
        exporter(version=version).write(ranker)


def make_ranker_features() -> tuple[dict[str, Any], ...]:
    return (
        {"type": "match", "name": "title_match", "field": "title"},
        {"type": "field_value", "name": "popularity", "field": "popularity"},
    )


def test_a_feature_that_may_be_absent_is_kept_from_version_3_8(make_ranker: Callable[..., Any]) -> None:
    trained = make_ranker("reg:squarederror", keep=("popularity",), n_trees=30, features=make_ranker_features())
    files = exporter(version="3.8").write(trained.ranker)

    scores = exporter(version="3.8").score(files, trained.features, trained.ranker.feature_set.names)

    assert stored(files)["popularity"]["template"]["function_score"]["query"] == {"exists": {"field": "popularity"}}
    assert np.isnan(trained.features).any()
    np.testing.assert_allclose(scores, trained.margins, rtol=0, atol=1e-6)


def test_an_expression_over_a_feature_that_may_be_absent_is_refused(make_ranker: Callable[..., Any]) -> None:
    with pytest.raises(ExportError, match=r"'mixed' computes with \['title_match'\]"):
        exporter(version="3.8").write(make_ranker(keep=("title_match",)).ranker)


def test_a_missing_value_below_zero_is_refused(make_ranker: Callable[..., Any]) -> None:
    features = ({"type": "field_value", "name": "age", "field": "age", "missing": -1.0},)

    with pytest.raises(ExportError, match="'age': missing is -1"):
        exporter().write(make_ranker(features=features).ranker)


@pytest.mark.parametrize(
    ("limit", "words"), [("MAX_DEFINITION", "one JSON string"), ("MAX_BODY", "http.max_content_length")]
)
def test_a_model_over_an_engine_limit_is_refused_by_the_limits_name(
    trained: Any, monkeypatch: pytest.MonkeyPatch, limit: str, words: str
) -> None:
    monkeypatch.setattr(ltr_plugin, limit, 1000)

    with pytest.raises(ExportError, match=words):
        exporter().write(trained.ranker)


def test_a_model_too_large_for_the_engine_is_refused_with_its_size_and_the_limit(
    make_ranker: Callable[..., Any],
) -> None:
    # A long name, so that few nodes make a long text.
    features = ({"type": "match", "name": "title_" * 16, "field": "title"},)
    ranker = repeated(make_ranker(features=features).ranker, 3870)

    with pytest.raises(ExportError, match=r"The model has 5\d,\d{3},\d{3} characters .* the engine takes 50,000,000\."):
        exporter().write(ranker)


def test_a_model_over_the_cache_warns_with_the_settings_name(trained: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    files = exporter().write(trained.ranker)
    assert exporter().facts(trained.ranker, files)["warnings"] == []
    monkeypatch.setattr(ltr_plugin, "CACHE_BYTES", 1000)

    (warning,) = exporter().facts(trained.ranker, files)["warnings"]

    assert "ltr.caches.max_mem" in warning


def test_opensearch_2_warns_of_its_other_bm25(trained: Any) -> None:
    files = exporter(version="2.19").write(trained.ranker)

    assert any("2.2" in warning for warning in exporter(version="2.19").facts(trained.ranker, files)["warnings"])


def test_requests_name_feature_set_and_model_in_the_order_of_loading(trained: Any) -> None:
    files = exporter(store="team_a").write(trained.ranker)
    name = model_name(files)

    requests = exporter(store="team_a").facts(trained.ranker, files)["requests"]

    assert [(one["method"], one["path"]) for one in requests[:3]] == [
        ("PUT", "/_ltr/team_a"),
        ("POST", f"/_ltr/team_a/_featureset/{name}"),
        ("POST", f"/_ltr/team_a/_featureset/{name}/_createmodel"),
    ]
    assert {one["body"] for one in requests[1:]} == files.keys()


def test_templates_and_the_example_search_the_engines_own_fields(trained: Any) -> None:
    files = exporter(text_field="{field}.{analyzer}").write(trained.ranker)

    assert list(stored(files)["title_match"]["template"]["bool"]["should"][0]["match"]) == ["title.english"]
    assert json.loads(files["rescore_query.json"])["query"]["multi_match"]["fields"] == [
        "title.english",
        "body.english",
    ]
    with pytest.raises(ValidationError):
        exporter(text_field="{feild}")


def test_a_search_sends_the_query_and_its_length_by_each_analyzer() -> None:
    names = ["keywords", "query_length_english", "query_length_standard"]

    assert search_params(names, "The red shoes") == {
        "keywords": "The red shoes",
        "query_length_english": 2,
        "query_length_standard": 3,
    }
