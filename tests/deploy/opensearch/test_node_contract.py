"""What a node with the Learning to Rank plugin answers: the stand-in by default, a real node by OPENSEARCH_LTR_ZIP."""

from __future__ import annotations

import json

import pytest

TITLE = {
    "name": "title_match",
    "params": ["keywords"],
    "template_language": "mustache",
    "template": {"match": {"title": "{{keywords}}"}},
}
POPULARITY = {
    "name": "popularity",
    "params": [],
    "template_language": "mustache",
    "template": {
        "function_score": {
            "query": {"match_all": {}},
            "boost_mode": "replace",
            "field_value_factor": {"field": "popularity", "modifier": "log1p", "missing": 0},
        }
    },
}
BOTH = {"name": "both", "params": [], "template_language": "derived_expression", "template": "title_match + popularity"}
FEATURES = [TITLE, POPULARITY, BOTH]
VALIDATION = {"index": "shop", "params": {"keywords": "red"}}
ALL = {"match_all": {}}


def words(answer):
    """Return every reason of a refusal."""
    status, body = answer
    found, node = [], body["error"]
    while node:
        found.append(node["reason"] or "")
        node = node.get("caused_by")
    return status, " <- ".join(found)


def stored(node, features=FEATURES, name="fs", method="POST", **extra):
    return node.call(method, f"/_ltr/_featureset/{name}", {"featureset": {"features": features}, **extra})


def create(node, definition, name="m", kind="model/xgboost+json", featureset="fs"):
    text = definition if isinstance(definition, str) else json.dumps(definition)
    body = {"model": {"name": name, "model": {"type": kind, "definition": text}}}
    return node.call("POST", f"/_ltr/_featureset/{featureset}/_createmodel", body)


def stump(threshold, missing, feature="title_match", **extra):
    leaves = [{"nodeid": 1, "leaf": 1.0}, {"nodeid": 2, "leaf": 2.0}]
    node = {"nodeid": 0, "depth": 0, "split": feature, "split_condition": threshold, "yes": 1, "no": 2}
    return [{**node, "missing": missing, "children": leaves, **extra}]


def logging(keywords="red shoe", featureset="fs", ids=("1", "2", "3"), clause="filter", **spec):
    sltr = {"sltr": {"_name": "logged", "featureset": featureset, "params": {"keywords": keywords}}}
    clauses = {"filter": [{"ids": {"values": list(ids)}}]}
    clauses.setdefault(clause, []).append(sltr)
    specs = [{"name": "log", "named_query": "logged", **spec}]
    return {"size": 10, "_source": False, "query": {"bool": clauses}, "ext": {"ltr_log": {"log_specs": specs}}}


def logged(answer):
    status, body = answer
    assert status == 200, body
    hits = body["hits"]["hits"]
    return {h["_id"]: {e["name"]: e.get("value") for e in h["fields"]["_ltrlog"][0]["log"]} for h in hits}


def rescore(model, keywords="red shoe", **extra):
    sltr = {"sltr": {"model": model, "params": {"keywords": keywords}}}
    query = {"rescore_query": sltr, "query_weight": 0, "rescore_query_weight": 1}
    return {"size": 10, "query": ALL, "rescore": {"window_size": 10, "query": query}, **extra}


@pytest.fixture
def node(shop):
    shop.call("PUT", "/_ltr")
    stored(shop, validation=VALIDATION)
    return shop


def test_the_store_is_made_once(ltr):
    assert ltr.call("GET", "/_ltr") == (200, {"stores": {}})
    assert ltr.call("GET", "/_ltr/_featureset/fs")[0] == 404
    assert ltr.call("PUT", "/_ltr")[0] == 200
    status, body = ltr.call("PUT", "/_ltr")
    assert (status, body["error"]["type"]) == (400, "resource_already_exists_exception")
    assert "_default_" in ltr.call("GET", "/_ltr")[1]["stores"]


def test_post_overwrites_a_feature_set_and_put_does_not(shop):
    shop.call("PUT", "/_ltr")
    stored(shop)
    _, body = stored(shop, [TITLE])
    assert body["result"] == "updated"
    assert stored(shop, method="PUT")[0] == 409
    _, found = shop.call("GET", "/_ltr/_featureset/fs")
    assert found["_source"]["featureset"]["features"] == [TITLE]


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ([{**TITLE, "template": {"matsch": {"title": "x"}}, "params": []}], "unknown query [matsch]"),
        ([{**TITLE, "template_language": "jinja"}], ""),
        ([], ""),
        ([{**TITLE, "params": ["keywords", "more"]}], "Missing required param(s): [more]"),
    ],
)
def test_a_bad_set_is_stored_unless_validation_is_sent(shop, features, reason):
    shop.call("PUT", "/_ltr")
    assert stored(shop, features, "blind")[0] in (200, 201)
    status, found = words(stored(shop, features, "tried", validation=VALIDATION))
    assert status == 400
    assert "validation failed" in found
    assert reason in found
    assert shop.call("GET", "/_ltr/_featureset/tried")[0] == 404


@pytest.mark.parametrize(
    ("features", "reason"),
    [
        ([TITLE, TITLE], "defined twice"),
        ([TITLE, {**BOTH, "template": "nope + 1"}], "unknown feature or parameter: [nope]"),
        ([TITLE, {**BOTH, "template": "title_match +* 1"}], "invalid sequence of tokens near '*'"),
        ([{**TITLE, "weight": 1}], "unknown field [weight]"),
    ],
)
def test_some_sets_are_refused_always(shop, features, reason):
    shop.call("PUT", "/_ltr")
    status, found = words(stored(shop, features))
    assert status == 400
    assert reason in found


def test_a_set_has_its_own_key(shop):
    shop.call("PUT", "/_ltr")
    status, found = words(shop.call("POST", "/_ltr/_featureset/x", {"features": [TITLE]}))
    assert (status, "unknown field [features]" in found) == (400, True)


def test_values_are_logged_and_an_absent_one_has_a_name_only(node):
    found = logged(node.call("POST", "/shop/_search", logging()))
    assert list(found["1"]) == ["title_match", "popularity", "both"]
    assert found["1"]["title_match"] > 0
    assert found["1"]["both"] == pytest.approx(found["1"]["title_match"] + found["1"]["popularity"], rel=1e-6)
    assert found["2"] == {"title_match": None, "popularity": 0.0, "both": 0.0}


def test_a_should_clause_and_missing_as_zero_change_what_they_say(node):
    plain = logged(node.call("POST", "/shop/_search", logging()))
    assert logged(node.call("POST", "/shop/_search", logging(clause="should"))) == plain
    zero = logged(node.call("POST", "/shop/_search", logging(missing_as_zero=True)))
    assert zero["2"] == {"title_match": 0.0, "popularity": 0.0, "both": 0.0}


def test_never_absent_templates_log_zero_and_the_same_values(node):
    never = {"bool": {"must": [{"match_all": {"boost": 0}}], "should": [TITLE["template"]]}}
    stored(node, [{**TITLE, "template": never}, {**TITLE, "name": "plain"}], "never", validation=VALIDATION)
    found = logged(node.call("POST", "/shop/_search", logging(featureset="never")))
    assert found["2"] == {"title_match": 0.0, "plain": None}
    assert found["1"]["title_match"] == found["1"]["plain"]


def test_user_text_is_escaped(node):
    text = 'say "hi" \\ back\nnew'
    assert len(logged(node.call("POST", "/shop/_search", logging(text)))) == 3


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"featureset": "nope"}, "Unknown featureset [nope]"), ({"params": {}}, "Missing required param(s): [keywords]")],
)
def test_a_search_that_names_what_is_not_there_is_refused(node, change, reason):
    body = logging()
    body["query"]["bool"]["filter"][1]["sltr"] |= change
    status, found = words(node.call("POST", "/shop/_search", body))
    assert status == 400
    assert reason in found


def test_many_searches_answer_each_for_itself(node):
    lines = [{"index": "shop"}, logging(), {"index": "shop"}, logging(featureset="nope")]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    status, body = node.call("POST", "/_msearch?filter_path=responses.status,responses.hits.hits._id", text)
    assert status == 200
    assert [member["status"] for member in body["responses"]] == [200, 400]
    assert [hit["_id"] for hit in body["responses"][0]["hits"]["hits"]] == ["1", "2", "3"]
    assert node.call("POST", "/_msearch?include_named_queries_score=true", text)[0] == 400


def test_a_model_is_never_replaced(node):
    assert create(node, [{"nodeid": 0, "leaf": 1.0}])[0] in (200, 201)
    status, found = words(create(node, [{"nodeid": 0, "leaf": 2.0}]))
    assert (status, "not updatable" in found) == (405, True)
    assert node.call("DELETE", "/_ltr/_model/m")[0] == 200
    assert create(node, [{"nodeid": 0, "leaf": 2.0}])[0] in (200, 201)
    _, body = node.call("POST", "/shop/_search", rescore("m"))
    assert {hit["_score"] for hit in body["hits"]["hits"]} == {2.0}


def test_a_model_keeps_its_own_copy_of_the_set(node):
    create(node, stump(0.0001, 2))
    before = node.call("POST", "/shop/_search", rescore("m"))[1]["hits"]["hits"]
    node.call("DELETE", "/_ltr/_featureset/fs")
    assert node.call("POST", "/shop/_search", rescore("m"))[1]["hits"]["hits"] == before
    _, found = node.call("GET", "/_ltr/_model/m")
    assert found["_source"]["model"]["feature_set"]["features"] == FEATURES


def test_an_unknown_model_has_another_status_in_each_line(node):
    status, found = words(node.call("POST", "/shop/_search", rescore("nope")))
    assert status == (500 if node.version.startswith("2.") else 400)
    assert "Unknown model [nope]" in found


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ([], "at lease one tree"),
        (stump(1, 1, "nope"), "Unknown feature [nope]"),
        (stump(1, 1, gain=3), "[node] unknown field [gain]"),
        ([{k: v for k, v in stump(1, 1)[0].items() if k != "depth"}], "all the required fields"),
        ({"objective": "rank:pairwise", "base_score": 0.5, "splits": stump(1, 1)}, "unknown field [base_score]"),
        ({"objective": "reg:squarederror", "splits": stump(1, 1)}, "not a valid XGBoost objective"),
        ("{not json", ""),
    ],
)
def test_a_bad_model_is_refused(node, definition, reason):
    status, found = words(create(node, definition))
    assert status == 400
    assert "Error while parsing model [m]" in found
    assert reason in found
    assert node.call("GET", "/_ltr/_model/m")[0] == 404


def test_a_way_for_absent_values_that_leads_to_no_child_is_refused_where_it_is_read(node):
    answer = create(node, stump(1, 3))
    if node.version.startswith("3.8"):
        assert "Split structure is invalid" in words(answer)[1]
    else:
        assert answer[0] in (200, 201)


def test_an_expression_that_is_not_finite_is_logged_as_it_is_unless_it_guards_itself(node):
    text = "title_match / popularity"
    report_user_errors = f"abs({text}) <= 3.4028235e+38 ? {text} : 0"
    share = {**BOTH, "name": "share", "template": text}
    stored(node, [*FEATURES, share, {**share, "name": "guarded", "template": report_user_errors}], "odd")
    found = logged(node.call("POST", "/shop/_search", logging("no such word", featureset="odd")))
    values = {name: found["2"][name] for name in ("share", "guarded")}
    assert values == {"share": "NaN", "guarded": 0.0}


def test_other_faults_of_models(node):
    assert "Unsupported LtrRanker" in words(create(node, stump(1, 1), kind="model/lightgbm"))[1]
    assert "Stored feature set [nope] does not exist" in words(create(node, stump(1, 1), featureset="nope"))[1]
    status, found = words(node.call("POST", "/_ltr/_featureset/fs/_createmodel", {"name": "m"}))
    assert (status, "[create_model_from_set] unknown field [name]" in found) == (400, True)
    ranking = create(node, {"objective": "rank:ndcg", "splits": stump(1, 1)})[0]
    assert (ranking == 400) == node.version.startswith("2.")


@pytest.mark.parametrize(("threshold", "missing"), [(0.0001, 1), (0.0001, 2), (-0.5, 1), (-0.5, 2)])
def test_an_absent_feature_means_what_the_version_says(node, threshold, missing):
    create(node, stump(threshold, missing))
    _, body = node.call("POST", "/shop/_search", rescore("m"))
    found = {hit["_id"]: hit["_score"] for hit in body["hits"]["hits"]}
    line = tuple(map(int, node.version.split(".")[:2]))
    rules = {"zero": 1.0 if threshold > 0 else 2.0, "right": 2.0, "default": float(missing)}
    assert found["2"] == rules["zero" if line < (3, 2) else "right" if line < (3, 8) else "default"]
    assert found["1"] == 2.0


def test_a_tie_goes_right(node):
    value = logged(node.call("POST", "/shop/_search", logging()))["1"]["title_match"]
    create(node, stump(value, 2), "tie")
    create(node, stump(value + 1e-3, 2), "above")
    scores = {m: node.call("POST", "/shop/_search", rescore(m))[1]["hits"]["hits"] for m in ("tie", "above")}
    assert {m: next(h["_score"] for h in hits if h["_id"] == "1") for m, hits in scores.items()} == {
        "tie": 2.0,
        "above": 1.0,
    }


def test_an_expression_over_an_absent_feature_reaches_trees_as_the_version_says(node):
    create(node, stump(1000.0, 1, "both"))
    _, body = node.call("POST", "/shop/_search", rescore("m"))
    score = next(hit["_score"] for hit in body["hits"]["hits"] if hit["_id"] == "2")
    line = tuple(map(int, node.version.split(".")[:2]))
    assert score == (2.0 if (3, 2) <= line < (3, 8) else 1.0)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"query": ALL, "resocre": {}}, "Unknown key"),
        ({"query": {"match_al": {}}}, "unknown query [match_al]"),
        ({"query": ALL, "size": 10_001}, "Result window is too large"),
        ({"query": {"sltr": {"featureset": "fs", "parms": {}}}}, ""),
    ],
)
def test_a_search_with_a_wrong_key_is_refused(node, body, reason):
    status, found = words(node.call("POST", "/shop/_search", body))
    assert status == 400
    assert reason in found


def test_a_document_is_kept_only_against_the_sequence_it_was_read_at(ltr):
    ltr.call("PUT", "/rankhammer_deployments")
    ltr.call("PUT", "/rankhammer_deployments/_doc/a?refresh=true&op_type=create", {"n": 1})
    assert ltr.call("PUT", "/rankhammer_deployments/_doc/a?op_type=create", {"n": 2})[0] == 409
    _, found = ltr.call("GET", "/rankhammer_deployments/_doc/a")
    place = f"if_seq_no={found['_seq_no']}&if_primary_term={found['_primary_term']}"
    ltr.call("PUT", f"/rankhammer_deployments/_doc/a?refresh=true&{place}", {"n": 3})
    assert ltr.call("PUT", f"/rankhammer_deployments/_doc/a?{place}", {"n": 4})[0] == 409
    assert ltr.call("GET", "/rankhammer_deployments/_doc/a")[1]["_source"] == {"n": 3}
