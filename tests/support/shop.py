"""A small index, and small rankers for it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xgboost as xgb

from rankhammer.corpora import folder_of
from rankhammer.exporters import TrainedRanker, publish
from rankhammer.exporters.parity import booster_scores
from rankhammer.exporters.targets.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions
from rankhammer.feature_sets import FeatureSet
from rankhammer.neural_model import file_of
from rankhammer.rankers import FitSettings, RankingData
from rankhammer.rankers.linear import LinearOptions, LinearRanker
from rankhammer.rankers.neural import NeuralOptions, NeuralRanker

FEATURES = FeatureSet.model_validate(
    {
        "name": "shop",
        "features": [
            {"name": "title", "type": "match", "field": "title", "analyzer": "standard"},
            {"name": "body", "type": "phrase", "field": "body", "analyzer": "standard"},
            {"name": "popularity", "type": "field_value", "field": "popularity", "modifier": "log1p"},
            {"name": "length", "type": "query_length", "analyzer": "standard"},
            {"name": "mixed", "type": "expression", "expression": "title + 2 * ln(1 + body)"},
        ],
    }
)
DOCS = {
    "1": {"title": "red shoe", "body": "a red running shoe", "popularity": 3.0},
    "2": {"title": "blue hat", "body": "no such thing"},
    "3": {"title": "red hat", "body": "a hat is no shoe", "popularity": 9.0},
    "4": {"title": "shoe rack", "body": "for red and blue shoes", "popularity": 0.5},
}


def fill(node: Any, index: str = "shop") -> Any:
    """Make an index of DOCS on a node."""
    types = {"title": "text", "body": "text", "popularity": "double"}
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    mappings = {"properties": {name: {"type": kind} for name, kind in types.items()}}
    node.call("PUT", f"/{index}", {"settings": settings, "mappings": mappings})
    lines = [line for i, doc in DOCS.items() for line in ({"index": {"_id": i}}, doc)]
    node.call("POST", f"/{index}/_bulk", "".join(json.dumps(line) + "\n" for line in lines))
    node.call("POST", f"/{index}/_refresh")
    return node


def export(folder: Any, *, version: str, seed: int = 7, corpus: str = "shop", **options: Any) -> str:
    """Train and export a small ranker for OpenSearch as the line does; return its folder."""
    return export_with(OpenSearchLtr(OpenSearchLtrOptions(version=version, **options)), folder, seed, corpus)


def export_with(exporter: Any, folder: Any, seed: int = 7, corpus: str = "shop", **given: Any) -> str:
    """Train and export a small ranker as the line does; return its folder."""
    ranker, rows = given.pop("train", train)(seed, corpus)
    checks = publish.Checks(1e-5, 50, 50)
    files = ranker_files(ranker, rows)
    for name, content in publish.export_corpus(corpus, files, [exporter], lineage={}, checks=checks).items():
        path = folder / str(seed) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(folder / str(seed) / folder_of(corpus) / exporter.target)


def train(seed: int = 7, corpus: str = "shop", features: FeatureSet = FEATURES, absent: str = "") -> Any:
    """Train a small ranker; return it and the vectors it was trained on, some of them without the feature `absent`."""
    rng = np.random.default_rng(seed)
    names = list(features.names)
    rows = rng.choice([0.0, 0.3, 0.7, 1.0, 1.9], (300, len(names))).astype(np.float32)
    label = (rows[:, 0] + rows[:, 2] + rng.normal(size=300)).clip(0, 4).round()
    if absent:
        # Absent is as good as a small value, so default directions lead left.
        rows[rows[:, names.index(absent)] < 0.5, names.index(absent)] = np.nan
    data = xgb.DMatrix(rows, label, feature_names=names, feature_types=["float"] * len(names))
    data.set_group([20] * 15)
    booster = xgb.train({"objective": "rank:ndcg", "max_depth": 3, "nthread": 1, "seed": seed}, data, 6)
    return TrainedRanker(corpus, bytes(booster.save_raw("ubj")), features, {"seed": seed}), rows


def train_linear(seed: int = 7, corpus: str = "shop", features: FeatureSet = FEATURES) -> Any:
    """Train a small linear ranker, to which popular is bad; return it and the vectors it was trained on."""
    rng = np.random.default_rng(seed)
    rows = rng.choice([0.0, 0.3, 0.7, 1.0, 1.9], (300, len(features.names))).astype(np.float32)
    label = (rows[:, 0] - rows[:, 2] + rows[:, -1] + 1).clip(0, 4).round().astype(np.float32)
    learner, qid = LinearRanker(LinearOptions()), np.repeat(np.arange(15, dtype=np.int32), 20)
    prepared = learner.prepare(RankingData(rows, label, qid, np.ones(300), features.names))
    model = learner.fit(prepared, None, params={}, settings=FitSettings(30, None, 10, 1, seed)).model
    return TrainedRanker(corpus, model, features, {"objective": learner.objective}), rows


def train_neural(seed: int = 7, corpus: str = "shop", features: FeatureSet = FEATURES, **options: Any) -> Any:
    """Train a small network on logarithms of `popularity` and `mixed`; return it, and what it was trained on."""
    rng = np.random.default_rng(seed)
    rows = rng.choice([0.0, 0.3, 0.7, 1.0, 1.9], (300, len(features.names))).astype(np.float32)
    label = (rows[:, 0] - rows[:, 2] + rows[:, -1] + 1).clip(0, 4).round().astype(np.float32)
    learner = NeuralRanker(NeuralOptions(log=("popularity", "mixed"), width=8, members=2, **options))
    qid = np.repeat(np.arange(15, dtype=np.int32), 20)
    prepared = learner.prepare(RankingData(rows, label, qid, np.ones(300), features.names))
    model = learner.fit(prepared, None, params={}, settings=FitSettings(5, None, 10, 1, seed)).model
    return TrainedRanker(corpus, model, features, {"objective": learner.objective}), rows


def ranker_files(ranker: TrainedRanker, rows: Any, **sample: Any) -> dict[str, bytes]:
    """Return the files that training publishes; `sample` holds what vectors have beside them."""
    scores = booster_scores(ranker, rows).tolist()
    values = np.where(np.isnan(rows), None, rows.astype(object)).tolist()
    message = {"feature_names": list(ranker.feature_set.names), "features": values, "scores": scores, **sample}
    return {
        file_of(ranker.model): ranker.model,
        "manifest.json": json.dumps(dict(ranker.manifest)).encode(),
        "feature_set.json": ranker.feature_set.model_dump_json().encode(),
        "sample_vectors.json": json.dumps(message).encode(),
    }
