"""Rankers into a node's feature store: stored, tried, made active, taken back."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from ltr_node import ElasticNode, LtrNode
from ltr_node.refusals import Refusal
from shop import export, export_with, fill

from rankhammer.deploy import deploy, planned, planned_rollback, read_exported_ranker, read_options, rollback
from rankhammer.errors import ConfigError, DataError, EngineError, ExportError
from rankhammer.exporters.targets.elasticsearch_ltr import ElasticsearchLtr, ElasticsearchLtrOptions

RECORD = "/rankhammer_deployments/_doc/shop"
QUERIES = ["red shoe", "blue hat", "nothing of the kind"]


def line(node):
    return ".".join(node.version.split(".")[:2])


def options(*nodes, **given):
    clusters = [{"url": node.url, "patience_s": 0.2} for node in nodes]
    return read_options({"clusters": clusters, "queries": QUERIES, "n_documents": 4, **given})


def active(node):
    status, found = node.call("GET", RECORD)
    return found["_source"] if status == 200 else None


@pytest.fixture
def exported(shop, tmp_path):
    return read_exported_ranker(export(tmp_path, version=line(shop)))


@pytest.fixture
def packages(stand_in_shop, tmp_path):
    """Four rankers, each other than the one before."""
    return [read_exported_ranker(export(tmp_path, version="3.6", seed=seed)) for seed in range(4)]


def test_a_ranker_is_stored_tried_and_made_active(shop, exported):
    (done,) = deploy(exported, options(shop))
    assert (done.active, done.before, done.removed) == (exported.name, "", ())
    assert [trial["query"] for trial in done.tried] == QUERIES
    assert [trial["n_documents"] for trial in done.tried] == [4, 4, 4]
    assert max(trial["max_abs_difference"] for trial in done.tried) <= 1e-5
    kept = active(shop)
    assert (kept["corpus"], kept["active"]) == ("shop", exported.name)
    assert kept["deployments"][0]["feature_set"]["name"] == "shop"
    # What stands in the record works as it stands, but for the user's query.
    status, body = shop.call("POST", "/shop/_search", json.loads(kept["deployments"][0]["example"]))
    assert (status, body["_shards"]["failed"]) == (200, 0)


def test_doing_it_again_changes_nothing(shop, exported):
    deploy(exported, options(shop))
    before = active(shop)
    (done,) = deploy(exported, options(shop))
    assert (done.active, done.before) == (exported.name, exported.name)
    assert active(shop) == before


def test_a_store_and_fields_of_ones_own_are_used(shop, tmp_path):
    exported = read_exported_ranker(export(tmp_path, version=line(shop), store="team_a", text_field="{field}"))
    deploy(exported, options(shop))
    assert shop.call("GET", f"/_ltr/team_a/_model/{exported.name}")[0] == 200
    assert shop.call("GET", f"/_ltr/_model/{exported.name}")[0] == 404


def test_an_interrupted_upload_leaves_nothing_active_and_can_be_repeated(stand_in_shop, packages):
    first, second, *_ = packages
    deploy(first, options(stand_in_shop))
    before = active(stand_in_shop)
    stand_in_shop.asked.clear()
    with LtrNode("3.6.0") as other:
        deploy(second, options(fill(other)))
        # Without the three of `fill`, and without making the record's index, which is there already.
        n_requests = len(other.asked) - 3 - 1
    for stop_at in range(1, n_requests + 1):
        stand_in_shop.on_request = _fail_at(stop_at)
        with pytest.raises(EngineError):
            deploy(second, options(stand_in_shop))
        assert active(stand_in_shop) == before, stop_at
    stand_in_shop.on_request = lambda method, path: None
    deploy(second, options(stand_in_shop))
    assert active(stand_in_shop)["active"] == second.name


def _fail_at(place):
    """Refuse every request from some place on, but let tests look."""
    seen = []

    def refuse(method, path):
        seen.append(path)
        if len(seen) >= place and path != RECORD:
            raise Refusal(403, ("security_exception", "no permissions"))

    return refuse


def test_a_store_that_opens_again_after_a_restart_is_waited_for(stand_in_shop, tmp_path, monkeypatch):
    monkeypatch.setattr("rankhammer.search_engines.client.FIRST_PAUSE_S", 0.01)
    exported = read_exported_ranker(export(tmp_path, version="3.6"))
    stand_in_shop.closed_lookups = 3
    patient = options(stand_in_shop, clusters=[{"url": stand_in_shop.url, "patience_s": 5}])
    (done,) = deploy(exported, patient)
    assert (done.active, stand_in_shop.closed_lookups) == (exported.name, 0)


def test_a_store_that_never_opens_is_said(stand_in_shop, tmp_path):
    exported = read_exported_ranker(export(tmp_path, version="3.6"))
    stand_in_shop.closed_lookups = 1000
    with pytest.raises(EngineError, match=r"did not answer within 0\.2 s .*No shard available"):
        deploy(exported, options(stand_in_shop))


def test_one_cluster_that_refuses_leaves_all_as_they_were(stand_in_shop, packages):
    with LtrNode("3.6.0") as other:
        fill(other)
        other.on_request = _fail_at(9)
        with pytest.raises(EngineError, match="no permissions"):
            deploy(packages[0], options(stand_in_shop, other))
    assert active(stand_in_shop) is None


def test_a_change_that_counts_on_some_clusters_only_is_said(stand_in_shop, packages):
    with LtrNode("3.6.0") as other:
        fill(other)

        def refuse(method, path):
            if method == "PUT" and "_doc" in path:
                raise Refusal(403, ("security_exception", "no permissions"))

        other.on_request = refuse
        with pytest.raises(EngineError, match=f"counts already on {stand_in_shop.url} "):
            deploy(packages[0], options(stand_in_shop, other))
        other.on_request = lambda method, path: None
        done = deploy(packages[0], options(stand_in_shop, other))
    assert [one.before for one in done] == [packages[0].name, ""]


def test_the_last_few_stay_and_older_ones_are_deleted_after_the_record_forgot_them(stand_in_shop, packages):
    for exported in packages[:3]:
        deploy(exported, options(stand_in_shop, keep=2))
    kept = active(stand_in_shop)
    assert [entry["name"] for entry in kept["deployments"]] == [packages[2].name, packages[1].name]
    assert set(stand_in_shop.stores["_default_"].models) == {packages[1].name, packages[2].name}
    assert set(stand_in_shop.stores["_default_"].featuresets) == {packages[1].name, packages[2].name}
    parsed = stand_in_shop.writes()
    assert parsed.index(f"DELETE /_ltr/_model/{packages[0].name}") > max(
        place for place, request in enumerate(parsed) if request == f"PUT {RECORD}"
    )


def test_rollback_goes_to_the_one_before_and_back_by_name(stand_in_shop, packages):
    given = options(stand_in_shop)
    for exported in packages[:2]:
        deploy(exported, given)
    (done,) = rollback("shop", given)
    assert (done.active, done.before) == (packages[0].name, packages[1].name)
    assert active(stand_in_shop)["active"] == packages[0].name
    with pytest.raises(DataError, match="no earlier ranker"):
        rollback("shop", given)
    rollback("shop", given, to=packages[1].name)
    assert active(stand_in_shop)["active"] == packages[1].name
    with pytest.raises(DataError, match="no ranker 'rankhammer_shop_0'"):
        rollback("shop", given, to="rankhammer_shop_0")


def test_after_a_rollback_the_next_one_leads_back_to_what_served(stand_in_shop, packages):
    given = options(stand_in_shop, keep=2)
    for exported in packages[:2]:
        deploy(exported, given)
    rollback("shop", given)
    deploy(packages[2], given)
    (done,) = rollback("shop", given)
    assert done.active == packages[0].name


def test_a_rollback_to_what_does_not_work_any_more_changes_nothing(stand_in_shop, packages):
    for exported in packages[:2]:
        deploy(exported, options(stand_in_shop))
    before = active(stand_in_shop)
    stand_in_shop.call("DELETE", f"/_ltr/_model/{packages[0].name}")
    with pytest.raises(EngineError, match="Unknown model") as caught:
        rollback("shop", options(stand_in_shop))
    assert "was not made active" in str(caught.value)
    assert active(stand_in_shop) == before


def test_a_rollback_that_counts_on_some_clusters_only_is_said(stand_in_shop, packages):
    with LtrNode("3.6.0") as other:
        given = options(stand_in_shop, fill(other))
        for exported in packages[:2]:
            deploy(exported, given)

        def refuse(method, path):
            if method == "PUT":
                raise Refusal(403, ("security_exception", "no permissions"))

        other.on_request = refuse
        with pytest.raises(
            EngineError, match=rf"no permissions.*counts already on {stand_in_shop.url} \({packages[0].name}"
        ):
            rollback("shop", given)
        other.on_request = lambda method, path: None
        (done,) = rollback("shop", options(other))
    assert (active(stand_in_shop)["active"], done.active) == (packages[0].name, packages[0].name)


def test_something_else_in_the_records_place_is_left_alone(stand_in_shop, packages):
    stand_in_shop.call("PUT", RECORD, {"title": "mine"})
    with pytest.raises(EngineError, match=r"no record of deployments: it has \['title'\]"):
        deploy(packages[0], options(stand_in_shop))
    assert active(stand_in_shop) == {"title": "mine"}


def test_two_who_deploy_at_once_do_not_overwrite_each_other(stand_in_shop, packages):
    deploy(packages[0], options(stand_in_shop))

    def meanwhile(method, path):
        if method == "PUT" and "_doc" in path:
            stand_in_shop.on_request = lambda method, path: None
            deploy(packages[1], options(stand_in_shop))

    stand_in_shop.on_request = meanwhile
    with pytest.raises(EngineError, match="another user has deployed"):
        deploy(packages[2], options(stand_in_shop))
    assert active(stand_in_shop)["active"] == packages[1].name


def test_another_model_under_the_name_is_not_taken_for_ours(stand_in_shop, packages):
    exported = packages[0]
    stand_in_shop.call("PUT", "/_ltr")
    stand_in_shop.call("POST", f"/_ltr/_featureset/{exported.name}", exported.json("feature_set.json"))
    leaf = {"type": "model/xgboost+json", "definition": '[{"nodeid": 0, "leaf": 1.0}]'}
    body = {"model": {"name": exported.name, "model": leaf}}
    stand_in_shop.call("POST", f"/_ltr/_featureset/{exported.name}/_createmodel", body)
    with pytest.raises(EngineError, match="another model under the name"):
        deploy(exported, options(stand_in_shop))
    assert active(stand_in_shop) is None


def test_scores_that_differ_from_the_files_are_found(stand_in_shop, packages, monkeypatch):
    monkeypatch.setattr("ltr_node.queries.score_trees", lambda *given: 3.5)
    with pytest.raises(EngineError, match=r"differently from the ranker's files do"):
        deploy(packages[0], options(stand_in_shop))
    assert active(stand_in_shop) is None


@pytest.mark.parametrize(("score", "message"), [(-1.0, "must give 0 or more"), (float("nan"), "must be a number")])
def test_a_score_that_no_rescore_may_give_is_found(stand_in_shop, packages, monkeypatch, score, message):
    monkeypatch.setattr("ltr_node.queries.score_trees", lambda *given: score)
    with pytest.raises(EngineError, match=message):
        deploy(packages[0], options(stand_in_shop))


@pytest.mark.parametrize(
    ("exported", "node", "message"),
    [
        ("3.6", "2.19.6", "factor of 2.2"),
        ("2.19", "3.6.0", "factor of 2.2"),
        ("3.6", "3.8.0", "follows each node's default direction"),
        ("3.8", "3.6.0", "always goes right"),
    ],
)
def test_a_cluster_of_another_line_is_refused_before_anything_is_written(tmp_path, exported, node, message):
    with LtrNode(node) as other:
        fill(other)
        other.asked.clear()
        with pytest.raises(EngineError, match=message):
            deploy(read_exported_ranker(export(tmp_path, version=exported)), options(other))
        assert other.writes() == []


@pytest.mark.parametrize("version", ["1.5.8", "1.5.10"])
def test_elasticsearch_has_a_plugin_version_of_its_own(tmp_path, stand_in_shop, version):
    exporter = ElasticsearchLtr(ElasticsearchLtrOptions(version=version))
    exported = read_exported_ranker(export_with(exporter, tmp_path))
    with ElasticNode(version) as node:
        (done,) = deploy(exported, options(fill(node), engine="elasticsearch"))
        assert active(node)["active"] == done.active == exported.name
        with pytest.raises(EngineError, match="is no OpenSearch"):
            deploy(read_exported_ranker(export(tmp_path, version="3.8")), options(node))
    with ElasticNode({"1.5.8": "1.5.10", "1.5.10": "1.5.8"}[version]) as other:
        with pytest.raises(EngineError, match=r"has the plugin at 1\.5\.[0-9]+-es8\.17\.0"):
            deploy(exported, options(fill(other), engine="elasticsearch"))
        assert active(other) is None
    with pytest.raises(EngineError, match="is no Elasticsearch"):
        deploy(exported, options(stand_in_shop, engine="elasticsearch"))


def test_a_cluster_without_the_plugin_or_index_is_refused(tmp_path, stand_in, packages):
    stand_in.call("DELETE", "/shop")
    with pytest.raises(EngineError, match="no index 'shop' to try the ranker on"):
        deploy(packages[0], options(stand_in))
    with LtrNode("3.6.0", plugin=False) as bare, pytest.raises(EngineError, match="no Learning to Rank plugin"):
        deploy(packages[0], options(bare))
    stand_in.call("PUT", "/shop")
    with pytest.raises(EngineError, match="finds no document"):
        deploy(packages[0], options(stand_in))


def changed(folder, name, change):
    path = Path(folder) / name
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("name", "change", "error", "message"),
    [
        ("manifest.json", lambda m: m["parity"].update(passed=False), ExportError, "did not pass its parity gate"),
        ("manifest.json", lambda m: m.update(target="json"), DataError, "export for 'json'"),
        ("manifest.json", lambda m: m.pop("constant"), DataError, "lacks constant"),
        ("manifest.json", lambda m: m.clear(), DataError, "no manifest of an export"),
        ("model.json", lambda m: m.update(more=1), DataError, "has another model.json"),
    ],
)
def test_a_folder_that_is_not_what_was_proved_is_refused(tmp_path, name, change, error, message):
    with pytest.raises(error, match=message):
        read_exported_ranker(changed(export(tmp_path, version="3.6"), name, change))


def test_a_folder_that_lacks_something_is_refused(tmp_path):
    folder = export(tmp_path, version="3.6")
    with pytest.raises(DataError, match="no exported ranker") as caught:
        read_exported_ranker(str(Path(folder).parent))
    assert folder in caught.value.hint
    (Path(folder) / "feature_set.json").unlink()
    with pytest.raises(DataError, match=r"lacks feature_set\.json"):
        read_exported_ranker(folder)
    (Path(folder) / "manifest.json").write_text("{")
    with pytest.raises(DataError, match="no JSON"):
        read_exported_ranker(folder)
    shutil.rmtree(folder)
    with pytest.raises(DataError, match="no exported ranker"):
        read_exported_ranker(folder)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clusters": []}, "clusters"),
        ({"clusters": [{"url": "http://x:1"}, {"url": "http://x:1/"}]}, "named twice"),
        ({"clusters": [{"url": "http://me:word@x:1"}]}, "must not carry a password"),
        ({"clusters": [{"url": "http://x:1"}], "keep": 1}, "keep"),
        ({"clusters": [{"url": "http://x:1"}], "engine": "vespa"}, "engine"),
        ({"clusters": [{"url": "http://x:1"}], "kepp": 3}, "kepp"),
        ({"clusters": [{"url": "http://x:1"}], "index": "{corups}"}, "index"),
    ],
)
def test_wrong_settings_are_named(given, message):
    with pytest.raises(ConfigError, match=message) as caught:
        read_options(given)
    assert "word" not in str(caught.value).replace("password", "")


def test_a_plan_is_what_is_asked_of_an_empty_cluster_and_asks_nothing(stand_in_shop, packages):
    stand_in_shop.asked.clear()
    ((url, requests),) = planned(packages[0], options(stand_in_shop))
    assert (url, stand_in_shop.asked) == (stand_in_shop.url, [])
    deploy(packages[0], options(stand_in_shop))
    assert [(one.method, one.path) for one in requests] == [(method, path) for method, path, _ in stand_in_shop.asked]
    sent = [json.loads(text) for _, _, text in stand_in_shop.asked if text]
    same = [one.body == body for one, body in zip([one for one in requests if one.body], sent, strict=True)]
    # The documents of the log, and what a trial found, are known only then.
    assert same.count(False) == len(QUERIES) + 1


def test_a_plan_for_a_rollback_reads_and_changes_nothing(stand_in_shop, packages):
    for exported in packages[:2]:
        deploy(exported, options(stand_in_shop))
    stand_in_shop.asked.clear()
    ((_, requests),) = planned_rollback("shop", options(stand_in_shop))
    assert [method for method, _, _ in stand_in_shop.asked] == ["GET"]
    stand_in_shop.asked.clear()
    rollback("shop", options(stand_in_shop))
    assert [(one.method, one.path) for one in requests] == [(method, path) for method, path, _ in stand_in_shop.asked]


def test_a_corpus_with_a_slash_has_its_own_record(stand_in_shop, tmp_path):
    exported = read_exported_ranker(export(tmp_path, version="3.6", corpus="de/shop"))
    deploy(exported, options(stand_in_shop, index="shop"))
    status, found = stand_in_shop.call("GET", "/rankhammer_deployments/_doc/de%2Fshop")
    assert (status, found["_source"]["active"]) == (200, exported.name)


def test_a_write_whose_answer_was_lost_is_no_conflict(stand_in_shop, packages):
    from rankhammer.deploy.active_ranker import ActiveRanker
    from rankhammer.deploy.ltr_plugin import IndexActiveRankerStore
    from rankhammer.search_engines.client import connect

    client = connect(options(stand_in_shop).clusters[0])
    store = IndexActiveRankerStore("rankhammer_deployments", "shop")
    made = ActiveRanker("shop", "a", ({"name": "a", "store": None},))
    store.write(client, made)
    store.write(client, made)
    with pytest.raises(EngineError, match="another user"):
        store.write(client, replace(made, active="b"))
