"""Feature values from real nodes, beside those of the embedded engine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.support.candidates import same_candidates

from rankhammer import plugins
from rankhammer.demo import SIZES, make_demo
from rankhammer.errors import DataError, EngineError
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sources.bundle_answers import answer_bundle
from rankhammer.plugins import PluginSpec

CONF = Path(__file__).parents[3] / "conf"
BASE = yaml.safe_load((CONF / "base/parameters/feature_set.yml").read_text())["feature_set"]
COUNTED = [{"name": f"n_{field}_terms", "type": "matched_terms", "field": field} for field in ("title", "body")]
DEMO = FeatureSet.model_validate({**BASE, "features": [*BASE["features"], *COUNTED]})
STANDARD = FeatureSet.model_validate(
    {
        "name": "standard",
        "features": [
            {**f.model_dump(), **({"analyzer": "standard"} if hasattr(f, "analyzer") else {})} for f in DEMO.features
        ],
    }
)
N_QUERIES, N_DOCS = 40, 30


@pytest.fixture(scope="module")
def corpus(spark, tmp_path_factory):
    """Documents of the demo's smaller corpus, and pairs of its queries with some of them."""
    folder = tmp_path_factory.mktemp("nodes") / "demo"
    make_demo(folder, random_state=42, sizes={"network": SIZES["network"]})
    documents = spark.read.parquet(str(folder / "documents"))
    ids = sorted(row["doc_id"] for row in documents.select("doc_id").collect())
    queries = sorted(
        row["query"] for row in spark.read.parquet(str(folder / "click_log")).select("query").distinct().collect()
    )
    rng = np.random.default_rng(3)
    chosen = [str(query) for query in rng.choice(queries, N_QUERIES, replace=False)]
    pairs = [("network", query, str(doc)) for query in chosen for doc in rng.choice(ids, N_DOCS, replace=False)]
    rows = spark.createDataFrame(
        [*pairs, ("network", chosen[0], "nowhere")], "corpus string, query string, doc_id string"
    )
    return folder / "documents", documents, rows


def values(collected):
    rows = collected.orderBy("corpus", "query", "doc_id").collect()
    known = [row for row in rows if row["features"] is not None]
    assert [row["doc_id"] for row in rows if row["features"] is None] == ["nowhere"]
    return np.array([list(row["features"]) for row in known])


def embedded(corpus, feature_set, flavour):
    source = plugins.create("feature_sources", PluginSpec(name="embedded", options={"flavour": flavour}))
    return values(source.collect(corpus[2], documents=corpus[1], feature_set=feature_set))


def ask(node, corpus, feature_set, **options):
    given = {"url": node.url, "text_field": "{field}.{analyzer}", "pace": "greedy", **options}
    source = plugins.create("feature_sources", PluginSpec(name=node.product, options=given))
    return source.collect(corpus[2], documents=None, feature_set=feature_set)


def test_opensearch_3_and_the_embedded_engine_agree(opensearch, corpus):
    opensearch.load(str(corpus[0]))
    found, expected = values(ask(opensearch, corpus, DEMO)), embedded(corpus, DEMO, "lucene")
    assert found.shape == (N_QUERIES * N_DOCS, len(DEMO.names))
    assert (found[:, 0] > 0).any()
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


def test_elasticsearch_8_and_the_embedded_engine_agree(elasticsearch, corpus):
    elasticsearch.load(str(corpus[0]), analyzers=("standard",))
    found = values(ask(elasticsearch, corpus, STANDARD))
    np.testing.assert_allclose(found, embedded(corpus, STANDARD, "k1_plus_1"), atol=1e-5, rtol=0)


def test_shards_change_no_value(opensearch, corpus):
    opensearch.load(str(corpus[0]), index="three-{corpus}", settings={"number_of_shards": 3, "number_of_replicas": 0})
    found = values(ask(opensearch, corpus, DEMO, index="three-{corpus}"))
    np.testing.assert_allclose(found, embedded(corpus, DEMO, "lucene"), atol=1e-5, rtol=0)


def test_a_killed_node_loses_one_batch_at_most(opensearch, corpus, tmp_path, monkeypatch):
    opensearch.load(str(corpus[0]))
    options = {"progress": str(tmp_path / "progress"), "searches_per_batch": 5, "patience_s": 0.5}
    undisturbed = values(ask(opensearch, corpus, DEMO))
    _kill_after(opensearch, 2, monkeypatch)
    with pytest.raises(Exception, match="did not answer within"):
        ask(opensearch, corpus, DEMO, **options)
    monkeypatch.undo()
    done = sorted(tmp_path.glob("progress/*/*/_SUCCESS"))
    stamps = [path.stat().st_mtime_ns for path in done]
    assert len(done) == 2
    opensearch.start()
    np.testing.assert_array_equal(values(ask(opensearch, corpus, DEMO, **options)), undisturbed)
    assert [path.stat().st_mtime_ns for path in done] == stamps
    assert len(list(tmp_path.glob("progress/*/*/_SUCCESS"))) > 2


def _kill_after(node, n_batches, monkeypatch):
    """Kill the node once so many batches are kept: the next one finds nobody."""
    from rankhammer.feature_sources.remote.batch_runner import Collector

    ask_once, asked = Collector._ask, []

    def counted(self, *arguments):
        if len(asked) == n_batches:
            node.kill()
        asked.append(1)
        return ask_once(self, *arguments)

    monkeypatch.setattr(Collector, "_ask", counted)


def test_another_question_begins_again(opensearch, corpus, tmp_path):
    opensearch.load(str(corpus[0]))
    progress = str(tmp_path / "progress")
    ask(opensearch, corpus, DEMO, progress=progress).count()
    first = {path.name for path in tmp_path.glob("progress/*")}
    ask(opensearch, corpus, STANDARD, progress=progress).count()
    second = {path.name for path in tmp_path.glob("progress/*")}
    assert len(first) == len(second) == 1
    assert first != second


def test_other_grades_of_the_same_pairs_ask_nobody(opensearch, corpus, tmp_path):
    opensearch.load(str(corpus[0]))
    documents, _, rows = corpus[0], corpus[1], corpus[2].unionAll(corpus[2].limit(5))
    options = {"progress": str(tmp_path / "progress"), "searches_per_batch": 10}
    first = graded(ask(opensearch, (documents, None, rows.selectExpr("*", "1 AS grade")), DEMO, **options))
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("progress/*/*/_SUCCESS")}
    second = graded(ask(opensearch, (documents, None, rows.selectExpr("2D AS grade", "*")), DEMO, **options))
    assert len(stamps) > 1
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("progress/*/*/_SUCCESS")} == stamps
    assert {grade for *_, grade in first} == {1}
    assert {grade for *_, grade in second} == {2}
    assert [row[:-1] for row in first] == [row[:-1] for row in second]
    assert len(first) == N_QUERIES * N_DOCS + 6
    # Five pairs are there twice, each with its own values.
    assert len({row[:-1] for row in first}) == N_QUERIES * N_DOCS + 1


def graded(collected):
    found = collected.collect()
    return sorted((row["query"], row["doc_id"], str(row["features"]), row["grade"]) for row in found)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"index": "nothing-{corpus}"}, "no index 'nothing-network'"),
        ({"role": "live"}, "is a live cluster"),
        ({"role": "live", "live_cluster": "another"}, "is a live cluster"),
        ({"pace": "polite", "max_other_searches_per_s": 0}, "is busy"),
    ],
)
def test_a_cluster_that_must_not_be_asked_is_refused(opensearch, corpus, options, message):
    opensearch.load(str(corpus[0]))
    with _searching(opensearch), pytest.raises(EngineError, match=message):
        ask(opensearch, corpus, DEMO, **options)


def _searching(node):
    """Search all the time, as users do."""
    import threading
    from contextlib import contextmanager

    @contextmanager
    def running():
        ended = threading.Event()

        def search():
            while not ended.wait(0.05):
                node.call("GET", "/network/_search")

        thread = threading.Thread(target=search)
        thread.start()
        yield
        ended.set()
        thread.join()

    return running()


def test_a_live_cluster_that_is_named_may_be_asked(opensearch, corpus):
    opensearch.load(str(corpus[0]))
    name = opensearch.call("GET", "/_cluster/health")["cluster_name"]
    assert ask(opensearch, corpus, DEMO, role="live", live_cluster=name).count() == N_QUERIES * N_DOCS + 1


def test_a_bundle_is_answered_where_the_engine_is(opensearch, corpus, tmp_path):
    """The first run writes the searches; once they are answered, the second one has the values of a direct one."""
    opensearch.load(str(corpus[0]))
    bundles, away = tmp_path / "bundles", {"url": "http://127.0.0.1:9", "bundle": str(tmp_path / "bundles")}
    with pytest.raises(EngineError, match=f"{N_QUERIES} queries are written to") as caught:
        ask(opensearch, corpus, DEMO, **away)
    [folder] = bundles.iterdir()
    assert f"collect-bundle {folder.name}" in caught.value.hint
    with pytest.raises(EngineError, match="not there yet"):
        ask(opensearch, corpus, DEMO, **away)
    command = [sys.executable, "-m", "rankhammer", "collect-bundle", str(folder), "--url", opensearch.url]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "JAVA_HOME": "/none"}
    )
    assert done.returncode == 0, done.stderr
    assert f"{N_QUERIES} queries answered (1 parts asked now)" in done.stdout
    np.testing.assert_array_equal(values(ask(opensearch, corpus, DEMO, **away)), values(ask(opensearch, corpus, DEMO)))


def test_answers_that_are_there_are_not_asked_again(opensearch, corpus, tmp_path):
    opensearch.load(str(corpus[0]))
    options = {"bundle": str(tmp_path / "bundles"), "searches_per_batch": 10}
    with pytest.raises(EngineError, match="not there yet"):
        ask(opensearch, corpus, DEMO, **options)
    [folder] = (tmp_path / "bundles").iterdir()
    seen = []
    assert answer_bundle(folder, on_progress=lambda *facts: seen.append(facts)).n_parts == 4
    assert seen == [(10, 40), (20, 40), (30, 40), (40, 40)]
    (folder / "answers" / "_SUCCESS").unlink()
    (folder / "answers" / "part-000002.parquet").unlink()
    with pytest.raises(EngineError, match="not there yet"):
        ask(opensearch, corpus, DEMO, **options)
    assert answer_bundle(folder, on_progress=lambda *_: None).n_parts == 1
    np.testing.assert_array_equal(
        values(ask(opensearch, corpus, DEMO, **options)), values(ask(opensearch, corpus, DEMO))
    )


def test_a_folder_that_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"has no bundle\.json"):
        answer_bundle(tmp_path, on_progress=lambda *_: None)


def test_a_search_for_candidates_finds_what_the_embedded_engine_finds(opensearch, corpus):
    opensearch.load(str(corpus[0]))
    options = {"url": opensearch.url, "text_field": "{field}.{analyzer}", "pace": "greedy"}
    source = plugins.create("feature_sources", PluginSpec(name="opensearch", options=options))
    same_candidates(source, DEMO, corpus[1], corpus[2])
