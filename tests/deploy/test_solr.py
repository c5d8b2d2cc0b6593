"""Rankers into a real Solr's stores: stored, tried, made active, taken back."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xgboost as xgb
from shop import DOCS, export, export_with, train_linear, train_neural

from rankhammer.deploy import deploy, planned, planned_rollback, read_exported_ranker, read_options, rollback
from rankhammer.deploy.solr import SolrActiveRankerStore
from rankhammer.errors import ConfigError, EngineError
from rankhammer.exporters.targets.solr_ltr import SolrLtr, SolrLtrOptions
from rankhammer.search_engines.client import Client, Response

CORE, CORPUS = "rankers", "de/shop"
FIELDS = {"text_field": "{field}_{analyzer}", "quoted_keywords": True}


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    exporter = SolrLtr(SolrLtrOptions(**FIELDS))
    folder = tmp_path_factory.mktemp("rankers")
    return [read_exported_ranker(export_with(exporter, folder, seed, CORPUS)) for seed in range(4)]


@pytest.fixture
def core(solr, tmp_path):
    """Solr with a fresh core of DOCS."""
    rows = [{"corpus": "shop", "doc_id": key, "popularity": None, **doc} for key, doc in DOCS.items()]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "part-0.parquet")
    solr.load(str(tmp_path), core=CORE)
    return solr


@pytest.fixture
def sample(monkeypatch):
    """What Solr is asked from here on; `sample.fault(method, path)` may raise, or give an answer in Solr's place."""
    return SampleSearch(monkeypatch)


class SampleSearch(list):
    def __init__(self, monkeypatch):
        super().__init__()
        self.fault = lambda method, path: None
        real = Client.ask

        def ask(client, method, path, body=None, **given):
            self.append((method, path, body))
            return self.fault(method, path) or real(client, method, path, body, **given)

        monkeypatch.setattr(Client, "ask", ask)

    def fail_at(self, place):
        self.clear()

        def fault(method, path):
            if len(self) >= place:
                raise EngineError("the line is down")

        self.fault = fault


def options(solr, **given):
    clusters = [{"url": solr.url, "patience_s": 0.2}]
    settings = {
        "engine": "solr",
        "clusters": clusters,
        "index": CORE,
        "n_documents": 4,
        "queries": ["red shoe", "it's"],
    }
    return read_options({**settings, **given})


def active(solr):
    found = solr.call(f"/{CORE}/config/params")["response"].get("params", {})
    return found.get(SolrActiveRankerStore(CORE, CORPUS).name, {}).get("rq", "")


def models(solr):
    return {model["name"] for model in solr.call(f"/{CORE}/schema/model-store")["models"]}


def test_what_is_active_is_a_parameter_set_that_a_search_names(core, packages, sample):
    first, second, *_ = packages
    ((_, plan),) = planned(first, options(core))
    (done,) = deploy(first, options(core))
    assert [(one.method, one.path) for one in plan] == [(method, path) for method, path, _ in sample]
    assert max(trial["max_abs_difference"] for trial in done.tried) <= 1e-5
    (again,) = deploy(first, options(core))
    assert (again.active, again.before) == (first.name, first.name)
    deploy(second, options(core))
    name, words = SolrActiveRankerStore(CORE, CORPUS).name, {"keywords": "red shoe", "keywords_quoted": "red shoe"}
    params = {"q": "*:*", "fl": "id,score", **words, "query_length_standard": 2}
    served = core.call(f"/{CORE}/select?useParams={name}", {"params": params})["response"]["docs"]
    tried = core.call(f"/{CORE}/select", {"params": {**params, "rq": active(core), "rerank_docs": 9}})["response"][
        "docs"
    ]
    assert served == tried
    assert f"model={second.name} " in active(core)
    sample.clear()
    ((_, plan),) = planned_rollback(CORPUS, options(core))
    assert {method for method, _, _ in sample} == {"GET"}
    (done,) = rollback(CORPUS, options(core))
    assert (done.active, done.before) == (first.name, second.name)
    assert f"model={first.name} " in active(core)


def test_a_linear_ranker_is_stored_and_its_rerank_gives_the_boosters_scores(core, tmp_path):
    exported = read_exported_ranker(
        export_with(SolrLtr(SolrLtrOptions(**FIELDS)), tmp_path, 7, CORPUS, train=train_linear)
    )
    (done,) = deploy(exported, options(core))
    assert max(trial["max_abs_difference"] for trial in done.tried) <= 1e-5
    stored = core.call(f"/{CORE}/schema/model-store")["models"]
    assert {model["class"] for model in stored if model["name"] == exported.name} == {
        "org.apache.solr.ltr.model.LinearModel"
    }
    ranker, _ = train_linear(7, CORPUS)
    words = {"keywords": "red shoe", "keywords_quoted": "red shoe", "query_length_standard": 2}
    passed = " ".join(f"efi.{name}=${name}" for name in words)
    log = f"values:[features store={exported.name} format=dense {passed}]"
    params = {"q": "*:*", "fl": f"id,score,{log}", **words, "rq": active(core), "rerank_docs": 9}
    docs = core.call(f"/{CORE}/select", {"params": params})["response"]["docs"]
    rows = np.zeros((len(docs), len(ranker.feature_set.names)), np.float32)
    for row, doc in zip(rows, docs, strict=True):
        for name, value in (pair.split("=") for pair in doc["values"].split(",")):
            row[ranker.feature_set.names.index(name)] = float(value)
    wanted = ranker.booster.predict(xgb.DMatrix(rows), validate_features=False)
    assert [doc["score"] for doc in docs] == pytest.approx(wanted.tolist(), abs=1e-5)
    assert len(docs) == len(DOCS) == len(set(wanted.tolist()))


def test_a_neural_ranker_is_stored_and_its_rerank_gives_the_networks_scores(core, tmp_path):
    exported = read_exported_ranker(
        export_with(SolrLtr(SolrLtrOptions(**FIELDS)), tmp_path, 7, CORPUS, train=train_neural)
    )
    (done,) = deploy(exported, options(core))
    assert max(trial["max_abs_difference"] for trial in done.tried) <= 1e-5
    stored = core.call(f"/{CORE}/schema/model-store")["models"]
    (model,) = (model for model in stored if model["name"] == exported.name)
    assert model["class"] == "org.apache.solr.ltr.model.NeuralNetworkModel"
    assert [feature["name"] for feature in model["features"]] == [
        *("title", "body", "popularity__ln", "length", "mixed__ln")
    ]
    ranker, _ = train_neural(7, CORPUS)
    words = {"keywords": "red shoe", "keywords_quoted": "red shoe", "query_length_standard": 2}
    passed = " ".join(f"efi.{name}=${name}" for name in words)
    log = f"values:[features store={exported.name} format=dense {passed}]"
    params = {"q": "*:*", "fl": f"id,score,{log}", **words, "rq": active(core), "rerank_docs": 9}
    docs = core.call(f"/{CORE}/select", {"params": params})["response"]["docs"]
    names = ranker.feature_set.names
    rows = np.zeros((len(docs), len(names)), np.float32)
    for row, doc in zip(rows, docs, strict=True):
        for name, value in (pair.split("=") for pair in doc["values"].split(",")):
            if name in names:
                row[names.index(name)] = float(value)
    wanted = ranker.opened.score(rows)
    assert [doc["score"] for doc in docs] == pytest.approx(wanted.tolist(), abs=1e-5)
    assert len(docs) == len(DOCS) == len(set(wanted.tolist()))
    assert not rows[:, names.index("popularity")].all()


def test_an_interrupted_upload_leaves_nothing_active_and_can_be_repeated(core, packages, sample):
    deploy(packages[0], options(core))
    before, n_requests = active(core), len(sample)
    for place in range(1, n_requests + 1):
        sample.fail_at(place)
        with pytest.raises(EngineError, match="the line is down"):
            deploy(packages[1], options(core))
        assert active(core) == before, place
    sample.fault = lambda method, path: None
    deploy(packages[1], options(core))
    assert f"model={packages[1].name} " in active(core)


def test_the_last_few_stay_and_older_ones_are_deleted_model_first(core, packages, sample):
    for exported in packages[:3]:
        deploy(exported, options(core, keep=2))
    assert models(core) == {packages[1].name, packages[2].name}
    deleted = [path.split("/")[3] for method, path, _ in sample if method == "DELETE"]
    assert deleted == ["model-store", "feature-store"]
    core.call(f"/{CORE}/schema/model-store/{packages[1].name}", method="DELETE")
    with pytest.raises(EngineError, match=r"cannot find model.* was not made active"):
        rollback(CORPUS, options(core))
    assert f"model={packages[2].name} " in active(core)


def test_a_model_too_large_for_the_heap_has_the_core_read_its_models_again(core, packages, sample):
    deploy(packages[0], options(core))
    memory = Response(500, {"error": {"msg": "Failed to store data due to: java.lang.OutOfMemoryError: heap"}}, 0.1)
    sample.fault = lambda method, path: memory if (method, path[-11:]) == ("PUT", "model-store") else None
    with pytest.raises(EngineError, match=r"does not take the model: 500 .*OutOfMemoryError") as caught:
        deploy(packages[1], options(core))
    assert "more heap" in caught.value.hint
    assert any("action=RELOAD" in path for _, path, _ in sample)
    assert models(core) == {packages[0].name}
    assert f"model={packages[0].name} " in active(core)


def test_another_model_under_the_name_is_not_taken_for_ours(core, packages):
    other = json.loads(packages[1].files["model.json"]) | {"name": packages[0].name, "store": packages[0].name}
    core.call(f"/{CORE}/schema/feature-store", packages[0].json("feature_store.json"), method="PUT")
    core.call(f"/{CORE}/schema/model-store", other, method="PUT")
    with pytest.raises(EngineError, match="another model named"):
        deploy(packages[0], options(core))
    assert active(core) == ""


def test_two_who_deploy_at_once_do_not_overwrite_each_other(core, packages, sample):
    deploy(packages[0], options(core))

    def meanwhile(method, path):
        if len([path for _, path, _ in sample if path.endswith(".record")]) == 2:
            sample.fault = lambda method, path: None
            deploy(packages[1], options(core))

    sample.clear()
    sample.fault = meanwhile
    with pytest.raises(EngineError, match="another user has deployed"):
        deploy(packages[2], options(core))
    assert f"model={packages[1].name} " in active(core)


def test_what_is_no_place_for_a_ranker_is_refused(core, packages, tmp_path, stand_in):
    with pytest.raises(EngineError, match="has no collection 'nowhere'"):
        deploy(packages[0], options(core, index="nowhere"))
    with pytest.raises(EngineError, match="is no Solr"):
        deploy(packages[0], options(core, clusters=[{"url": stand_in.url}]))
    with pytest.raises(ConfigError, match=r"is for opensearch, but deploy\.yml has clusters of solr"):
        deploy(read_exported_ranker(export(tmp_path, version="3.6")), options(core))
