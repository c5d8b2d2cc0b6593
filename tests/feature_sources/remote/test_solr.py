"""Solr for real: features logged, a ranker trained on them, exported, loaded, and its scores read back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb
import yaml
from click.testing import CliRunner
from tests.support.candidates import same_candidates

from rankhammer import plugins
from rankhammer.cli.main import rankhammer
from rankhammer.demo import SIZES, make_demo
from rankhammer.deploy.engine_gate import engine_gate
from rankhammer.errors import ConfigError, EngineError, ExportError
from rankhammer.exporters import publish
from rankhammer.exporters.base import TrainedRanker
from rankhammer.exporters.targets.solr_ltr import SolrLtr, SolrLtrOptions
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sets.dialects.solr_features import solr_params
from rankhammer.plugins import PluginSpec
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers.linear import LinearOptions, LinearRanker

CONF = Path(__file__).parents[3] / "conf"
FIELDS = "{field}_{analyzer}"
NASTY = ['it\'s \\ a "quote"', "title_english:x OR *:*", "{!func}popularity", "(", "+read -file", "reading ~ files^9"]
N_QUERIES, N_DOCS = 30, 30


@pytest.fixture(scope="module")
def feature_set():
    return FeatureSet.model_validate(
        yaml.safe_load((CONF / "base/parameters/feature_set.yml").read_text())["feature_set"]
    )


@pytest.fixture(scope="module")
def corpus(spark, solr, tmp_path_factory):
    folder = tmp_path_factory.mktemp("solr") / "demo"
    make_demo(folder, random_state=42, sizes={"network": SIZES["network"]})
    solr.load(str(folder / "documents"))
    documents = spark.read.parquet(str(folder / "documents"))
    ids = sorted(row["doc_id"] for row in documents.select("doc_id").collect())
    asked = sorted(
        row["query"] for row in spark.read.parquet(str(folder / "click_log")).select("query").distinct().collect()
    )
    rng = np.random.default_rng(3)
    queries = [*map(str, rng.choice(asked, N_QUERIES, replace=False)), *NASTY]
    pairs = [("network", query, str(doc)) for query in queries for doc in rng.choice(ids, N_DOCS, replace=False)]
    # One query is asked of every document.
    pairs = sorted({*pairs, *(("network", NASTY[0], str(doc)) for doc in ids)})
    pairs.append(("network", queries[0], "nowhere"))
    return documents, spark.createDataFrame(pairs, "corpus string, query string, doc_id string")


def source(solr, **options):
    given = {"url": solr.url, "text_field": FIELDS, "pace": "greedy", "quoted_keywords": True, **options}
    return plugins.create("feature_sources", PluginSpec(name="solr", options=given))


@pytest.fixture(scope="module")
def collected(solr, corpus, feature_set):
    rows = source(solr).collect(corpus[1], documents=None, feature_set=feature_set)
    return rows.orderBy("corpus", "query", "doc_id").collect()


def test_solr_and_the_embedded_engine_agree(corpus, collected, feature_set):
    embedded = plugins.create("feature_sources", PluginSpec(name="embedded"))
    expected = embedded.collect(corpus[1], documents=corpus[0], feature_set=feature_set)
    wanted = {(row["query"], row["doc_id"]): row["features"] for row in expected.collect()}
    assert [row["doc_id"] for row in collected if row["features"] is None] == ["nowhere"]
    known = [row for row in collected if row["features"] is not None]
    assert len(known) == corpus[0].count() + (N_QUERIES + len(NASTY) - 1) * N_DOCS
    found = np.array([list(row["features"]) for row in known])
    np.testing.assert_allclose(
        found, np.array([list(wanted[row["query"], row["doc_id"]]) for row in known]), atol=1e-5, rtol=0
    )
    assert (found[:, 0] > 0).any()


def test_storing_twice_and_after_an_interruption_ends_with_the_whole_set(solr, corpus, feature_set, collected):
    [name] = [store for store in solr.call("/network/schema/feature-store")["featureStores"] if store != "_DEFAULT_"]
    whole = solr.call(f"/network/schema/feature-store/{name}")["features"]
    solr.call(f"/network/schema/feature-store/{name}", method="DELETE")
    solr.call("/network/schema/feature-store", [{**whole[0], "store": name}], method="PUT")
    again = (
        source(solr).collect(corpus[1], documents=None, feature_set=feature_set).orderBy("corpus", "query", "doc_id")
    )
    assert again.collect() == collected
    assert len(solr.call(f"/network/schema/feature-store/{name}")["features"]) == len(feature_set.names)


def test_a_deployed_ranker_scores_every_document_as_its_booster_does(solr, collected, feature_set, tmp_path):
    """Collected, trained, exported, deployed and taken back as it is typed; scores are read as an application does."""
    known = [row for row in collected if row["features"] is not None]
    rankers = [_train(known, feature_set, depth) for depth in (5, 3)]
    features = [list(row["features"]) for row in known]
    folders = [_exported(solr, ranker, features, known, tmp_path / str(n)) for n, ranker in enumerate(rankers)]
    names = [_deployed(solr, folder) for folder in folders]
    _require_scores(solr, rankers[1], known)
    ended = _typed("rollback", "network", "--url", solr.url)
    assert [one["active"] for one in ended] == names[:1]
    _require_scores(solr, rankers[0], known)
    # As if that document had changed since its features were collected.
    other = [[value + 50.0 for value in features[0]], *features[1:]]
    with pytest.raises(ExportError, match=rf"{known[0]['doc_id']!r} for .* Feature '\w+' was .* Tree \d+, node \d+"):
        _exported(solr, rankers[0], other, known, tmp_path / "refused")
    assert {model["name"] for model in solr.call("/network/schema/model-store")["models"]} == set(names)


def test_solr_scores_a_linear_ranker_as_its_booster_does(solr, collected, feature_set, tmp_path):
    known = [row for row in collected if row["features"] is not None]
    features, grades, qid = _graded(known)
    learner = LinearRanker(LinearOptions())
    rows = RankingData(features, grades.astype(np.float32), qid.astype(np.int32), np.ones(len(qid)), feature_set.names)
    fitted = learner.fit(learner.prepare(rows), None, params={}, settings=FitSettings(30, None, 10, 1, 1))
    _exported(
        solr, TrainedRanker("network", fitted.model, feature_set, {}), features.tolist(), known, tmp_path / "linear"
    )


def _graded(known):
    """Return features, grades and query numbers of rows that are in the order of their queries."""
    features = np.array([list(row["features"]) for row in known], np.float32)
    rng = np.random.default_rng(1)
    grades = np.clip(np.round(features[:, 0] / 3 + rng.random(len(features))), 0, 4)
    return features, grades, np.unique([row["query"] for row in known], return_inverse=True)[1]


def _train(known, feature_set, depth):
    features, grades, qid = _graded(known)
    data = xgb.DMatrix(features, grades, qid=qid, feature_names=list(feature_set.names))
    data.feature_types = ["float"] * features.shape[1]
    booster = xgb.train({"objective": "rank:ndcg", "max_depth": depth, "seed": 1, "eta": 0.3}, data, 60)
    return TrainedRanker("network", bytes(booster.save_raw("ubj")), feature_set, {})


def _exported(solr, ranker, features, known, folder):
    """Export as the stage does, Solr itself being asked."""
    sample = {
        "feature_names": list(ranker.feature_set.names),
        "features": features,
        "query": [row["query"] for row in known],
        "doc_id": [row["doc_id"] for row in known],
    }
    files = {
        "model.ubj": ranker.model,
        "manifest.json": b"{}",
        "feature_set.json": ranker.feature_set.model_dump_json().encode(),
        "sample_vectors.json": json.dumps(sample).encode(),
    }
    exporter = SolrLtr(SolrLtrOptions(text_field=FIELDS, quoted_keywords=True))
    folder.mkdir()
    checks = publish.Checks(1e-5, 500, 500, engine_gate("solr", {"url": solr.url}))
    for name, content in publish.export_corpus("network", files, [exporter], lineage={}, checks=checks).items():
        (folder / Path(name).name).write_bytes(content)
    engine = json.loads((folder / "parity.json").read_text())["engine"]
    assert (engine["version"], engine["n_pairs"], engine["order_kept"]) == ("8.11.4", 500, 1.0)
    assert max(engine["max_abs_difference"], engine["max_feature_difference"]) <= 1e-5
    return folder


def _deployed(solr, folder):
    (done,) = _typed("deploy", folder, "--url", solr.url, "--query", NASTY[0], "--query", "read a file")
    assert max(trial["max_abs_difference"] for trial in done["tried"]) <= 1e-5
    return done["active"]


def _typed(*words):
    ended = CliRunner().invoke(rankhammer, [*map(str, words), "--engine", "solr", "--json"])
    assert ended.exit_code == 0, ended.output
    return json.loads(ended.output)


def _require_scores(solr, ranker, known):
    names = ["keywords", "keywords_quoted", "query_length_english", "query_length_standard"]
    features = np.array([list(row["features"]) for row in known], np.float32)
    wanted = ranker.booster.inplace_predict(features, predict_type="margin", validate_features=False)
    for query in [known[0]["query"], known[-1]["query"], *NASTY]:
        asked = {**solr_params(names, query), "q": "*:*", "fl": "id,score", "rows": 10_000, "rerank_docs": 10_000}
        docs = solr.call("/network/select?useParams=rankhammer_network", {"params": asked})["response"]["docs"]
        scores = {doc["id"]: doc["score"] for doc in docs}
        mine = [place for place, row in enumerate(known) if row["query"] == query]
        found = [scores[known[place]["doc_id"]] for place in mine]
        np.testing.assert_allclose(found, wanted[mine], atol=1e-5, rtol=0)
        assert query != NASTY[0] or len(mine) == len(scores)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"index": "nothing-{corpus}"}, EngineError, "no index 'nothing-network'"),
        ({"role": "live"}, EngineError, "is a live cluster"),
        ({"quoted_keywords": False}, ConfigError, "quoted_keywords"),
        ({"text_field": "{field}_english"}, ConfigError, "by two analyzers"),
    ],
)
def test_what_cannot_work_is_refused_before_any_search(solr, corpus, feature_set, options, error, message):
    with pytest.raises(error, match=message) as caught:
        source(solr, **options).collect(corpus[1], documents=None, feature_set=feature_set)
    assert caught.value.hint


def test_a_search_for_candidates_finds_what_the_embedded_engine_finds(solr, corpus, feature_set):
    plain = corpus[1].where(~corpus[1]["query"].isin(NASTY))
    same_candidates(source(solr), feature_set, corpus[0], plain)
    nasty = corpus[1].where(corpus[1]["query"].isin(NASTY)).select("corpus", "query").distinct()
    assert source(solr).candidates(nasty, documents=None, feature_set=feature_set, n=3).count() > 3
