"""Writes rankers for Elasticsearch's own Learning To Rank (8.12 and later), as a trained model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import orjson
from pydantic import BaseModel, Field

from rankhammer.canonical_json import to_json
from rankhammer.digests import content_name
from rankhammer.exporters.ir.negative_values import negative_value_warnings, refuse_negative_values
from rankhammer.exporters.ir.nested_trees import TreeFormat, TreeNode
from rankhammer.exporters.ir.trees import UNREACHABLE
from rankhammer.exporters.targets.elasticsearch_ltr import BM25_WARNING
from rankhammer.exporters.targets.model_files import ModelFiles, verification, writer_for
from rankhammer.feature_sets import Expression, TextFields
from rankhammer.feature_sets.dialects.elastic_features import feature_extractors
from rankhammer.feature_sets.dialects.ltr_features import first_query, query_params, text_fields
from rankhammer.feature_sets.needed_features import located_features

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.exporters.ir.trees import Forest
    from rankhammer.exporters.targets.model_files import ParsedModel
    from rankhammer.feature_sets import FeatureSet


class ElasticNativeOptions(TextFields):
    """Where the files go."""

    index: str | None = Field(None, description="index named in the example search")
    window_size: int = Field(100, ge=1, le=10_000, description="documents that the example query reranks")


def read_node(node: tuple[dict[str, Any], int]) -> TreeNode:
    """Read one node, given as its tree's definition and its place in there."""
    tree, place = node
    entry = tree["tree_structure"][place]
    if "leaf_value" in entry:
        return TreeNode(value=entry["leaf_value"])
    return TreeNode(
        feature=tree["feature_names"][entry["split_feature"]],
        threshold=entry["threshold"],
        default_left=entry["default_left"],
        children=((tree, entry["left_child"]), (tree, entry["right_child"])),
    )


class ElasticNative(ModelFiles[ElasticNativeOptions]):
    """Trained model (learning_to_rank, a tree ensemble) and example query for Elasticsearch 8.12 and later.

    Elasticsearch compares and adds up in 64-bit floats.

    Args:
        options: Checked `ElasticNativeOptions`.
    """

    Options: ClassVar[type[BaseModel]] = ElasticNativeOptions
    name = "elastic_native"
    format = TreeFormat(read=read_node, kind=np.float64)

    def write(self, ranker: TrainedRanker) -> dict[str, bytes]:
        """Write trained_model.json (the body that makes the model) and rescore_query.json.

        Raises:
            ExportError: Elasticsearch cannot compute a feature, or would see other values than in training.
        """
        writer_for(ranker, self.target, {"trees": self.format})
        ranker.form.refuse_absent(ranker.keep_absent, "zero", self.target)
        needed = located_features(ranker.feature_set, ranker.form.used_features(), self._options, "elasticsearch")
        expressions = {feature.name for feature in needed.features if isinstance(feature, Expression)}
        refuse_negative_values(ranker.form, expressions, self.target)
        body = _trained_model(ranker.forest, needed)
        query = self._rescore_query(content_name(ranker.corpus, body), needed)
        return {"trained_model.json": to_json(body, indent=None), "rescore_query.json": to_json(query)}

    def parse(self, files: Mapping[str, bytes]) -> ParsedModel:
        """Read the trees from trained_model.json; an absent feature is 0."""
        ensemble = orjson.loads(files["trained_model.json"])["definition"]["trained_model"]["ensemble"]
        return self.format.parse([(model["tree"], 0) for model in ensemble["trained_models"]], "zero")

    def facts(self, ranker: TrainedRanker, files: Mapping[str, bytes]) -> dict[str, Any]:
        """Return the requests that load the files, how they were proved, and the missing rule."""
        needed = located_features(ranker.feature_set, ranker.form.used_features(), self._options, "elasticsearch")
        model_id = json.loads(files["rescore_query.json"])["rescore"]["learning_to_rank"]["model_id"]
        return {
            "engine": {"name": "elasticsearch", "version": "8.12"},
            **verification("file only", "Elasticsearch's documented rules; Elasticsearch itself has not run it"),
            "requests": [
                {"method": "PUT", "path": f"/_ml/trained_models/{model_id}", "body": "trained_model.json"},
                {
                    "method": "POST",
                    "path": f"/{self._options.index or '<index>'}/_search",
                    "body": "rescore_query.json",
                },
            ],
            "query_params": sorted(query_params(needed)),
            "features": list(needed.names),
            "missing_values": {
                "rule": "same",
                "meaning": "0.0 and each node's default direction send an absent feature the same way",
            },
            "warnings": [
                *([BM25_WARNING] if text_fields(needed) else []),
                *negative_value_warnings(ranker.form, needed),
            ],
        }

    def _rescore_query(self, model_id: str, needed: FeatureSet) -> dict[str, Any]:
        window = self._options.window_size
        ranked = {"model_id": model_id, "params": query_params(needed)}
        rescore = {"window_size": window, "learning_to_rank": ranked}
        return {"size": min(10, window), "query": first_query(needed), "rescore": rescore}


def _trained_model(forest: Forest, needed: FeatureSet) -> dict[str, Any]:
    names = list(needed.names)
    base = [{"node_index": 0, "leaf_value": forest.base}]
    structures = [base, *_tree_structures(forest, {name: place for place, name in enumerate(names)})]
    trees = [
        {"tree": {"feature_names": names, "tree_structure": structure, "target_type": "regression"}}
        for structure in structures
    ]
    ensemble = {
        "feature_names": names,
        "trained_models": trees,
        "aggregate_output": {"weighted_sum": {"weights": [1.0] * len(trees)}},
        "target_type": "regression",
    }
    return {
        "model_type": "tree_ensemble",
        "input": {"field_names": names},
        "inference_config": {"learning_to_rank": {"feature_extractors": feature_extractors(needed)}},
        "definition": {"preprocessors": [], "trained_model": {"ensemble": ensemble}},
    }


def _tree_structures(forest: Forest, places: dict[str, int]) -> list[list[dict[str, Any]]]:
    """Write each tree's nodes without those that pruning cut off: a node's index is its place in the list."""
    kept = np.flatnonzero(forest.depth != UNREACHABLE)
    tree = np.searchsorted(forest.roots, kept, side="right") - 1
    first = np.searchsorted(kept, forest.roots)
    index = np.zeros(len(forest.feature), np.int64)
    index[kept] = np.arange(len(kept)) - first[tree]
    structures: list[list[dict[str, Any]]] = [[] for _ in range(forest.n_trees)]
    for owner, place in zip(tree.tolist(), kept.tolist(), strict=True):
        structures[owner].append(_entry(forest, place, index, places))
    return structures


def _entry(forest: Forest, place: int, index: Any, places: dict[str, int]) -> dict[str, Any]:
    """Numbers are 32-bit floats with all digits of their 64-bit value, because Elasticsearch compares in 64 bits."""
    node = {"node_index": int(index[place])}
    if forest.feature[place] < 0:
        return {**node, "leaf_value": float(forest.value[place])}
    return {
        **node,
        "decision_type": "lt",
        "split_feature": places[forest.feature_names[forest.feature[place]]],
        "threshold": float(forest.threshold[place]),
        "default_left": bool(forest.default_left[place]),
        "left_child": int(index[forest.left[place]]),
        "right_child": int(index[forest.right[place]]),
    }
