"""Cranfield on real engines: every judged pair has the embedded engine's values, in the engine's flavour of BM25."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml

from rankhammer import plugins
from rankhammer.feature_sets import FeatureSet
from rankhammer.plugins import PluginSpec

REPOSITORY = Path(__file__).parents[2]
DATA = REPOSITORY.parent / "shared" / "data" / "cranfield"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.exists(), reason="the Cranfield files are not here"),
]


@pytest.fixture(scope="module")
def collection(spark, tmp_path_factory):
    """Documents, where they lie, and every pair of the judgments' file."""
    spec = importlib.util.spec_from_file_location("cranfield_benchmark", REPOSITORY / "benchmarks" / "cranfield.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    folder = tmp_path_factory.mktemp("cranfield-engines") / "documents"
    folder.mkdir()
    pq.write_table(benchmark.read_documents(DATA), folder / "part-0.parquet")
    queries = benchmark.read_queries(DATA)
    judged = json.loads((DATA / "cran_qrels.json").read_text())
    pairs = sorted({(queries[int(row["query_num"]) - 1], str(row["id"])) for row in judged})
    rows = [("cranfield", query, doc_id) for query, doc_id in pairs]
    return (
        folder,
        spark.read.parquet(str(folder)),
        spark.createDataFrame(rows, "corpus string, query string, doc_id string"),
    )


def feature_set(analyzer: str) -> FeatureSet:
    """Matches and phrases over three fields, and what the environment's own set has beside them."""
    texts = [
        {"name": f"{field}_{kind}", "type": kind, "field": field, "analyzer": analyzer}
        for field in ("title", "body", "related")
        for kind in ("match", "phrase")
    ]
    loaded = yaml.safe_load((REPOSITORY / "conf/cranfield/parameters/feature_set.yml").read_text())
    length = [feature for feature in loaded["feature_set"]["features"] if feature["type"] == "field_value"]
    return FeatureSet.model_validate({"name": "cranfield", "features": [*texts, *length]})


def values(name, collection, features, **options):
    source = plugins.create("feature_sources", PluginSpec(name=name, options=options))
    rows = source.collect(collection[2], documents=collection[1], feature_set=features)
    known = [row for row in rows.orderBy("query", "doc_id").collect() if row["features"] is not None]
    return np.array([list(row["features"]) for row in known])


@pytest.mark.parametrize(
    ("engine", "analyzer", "flavour"),
    [
        ("opensearch", "english", "lucene"),
        ("opensearch_2", "standard", "k1_plus_1"),
        ("elasticsearch", "standard", "k1_plus_1"),
        ("solr", "english", "lucene"),
    ],
)
def test_every_judged_pair_has_the_same_values(request, collection, engine, analyzer, flavour):
    node, features = request.getfixturevalue(engine), feature_set(analyzer)
    options = {"url": node.url, "pace": "greedy", "text_field": "{field}_{analyzer}"}
    if engine == "solr":
        node.load(str(collection[0]))
    else:
        node.load(str(collection[0]), analyzers=(analyzer,))
        options["text_field"] = "{field}.{analyzer}"
    found = values(node.product, collection, features, **options)
    assert len(found) > 1800
    assert (found[:, 2] > 0).mean() > 0.5
    np.testing.assert_allclose(found, values("embedded", collection, features, flavour=flavour), atol=1e-5, rtol=0)
