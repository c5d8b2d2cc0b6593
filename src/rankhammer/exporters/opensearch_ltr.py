"""Writes rankers for OpenSearch's Learning to Rank plugin."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rankhammer.errors import ExportError
from rankhammer.exporters import ltr_json
from rankhammer.exporters.json_bytes import to_json
from rankhammer.exporters.missing_values import RULES, opensearch_rule, refuse_other_directions
from rankhammer.exporters.needed_features import needed_features
from rankhammer.exporters.opensearch_features import plugin_features, query_params, text_fields
from rankhammer.exporters.walk import leaf_places, sum_leaves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rankhammer.exporters.base import RankerFiles, TreePath
    from rankhammer.feature_sets import FeatureSet

MAX_DEFINITION = 50_000_000
"""Characters of a model's definition that the engine's JSON reader takes as one string."""
MAX_BODY = 100 * 1024 * 1024
"""Bytes of a request that the engine takes by default (http.max_content_length)."""
CACHE_BYTES = 10 * 1024 * 1024
"""Default of ltr.caches.max_mem."""
BYTES_PER_NODE = 28
"""Memory that the plugin counts for a node, half of them splits: between 27.5 and 41 by measured cache misses."""


class OpenSearchLtrOptions(BaseModel):
    """Which OpenSearch the files are for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = Field("3.6", pattern=r"^\d+\.\d+(\.\d+)*$", description="OpenSearch version; sets the missing rule")
    store: str | None = Field(None, pattern=r"^[a-z0-9_]+$", description="feature store; null is the default store")
    index: str | None = Field(None, description="index on which the plugin tries each template before storing the set")
    window_size: int = Field(100, ge=1, le=10_000, description="documents that the example query reranks")


class OpenSearchLtr:
    """Model, feature set and example query for OpenSearch's Learning to Rank plugin.

    Features are never absent by construction (each template matches every document), so that all versions of the
    plugin score alike; names in the engine carry a hash of the content, because the plugin never updates a model.

    Args:
        options: Checked `OpenSearchLtrOptions`.
    """

    Options: ClassVar[type[BaseModel]] = OpenSearchLtrOptions

    def __init__(self, options: OpenSearchLtrOptions) -> None:
        self._options = options
        self._rule = opensearch_rule(options.version)

    @property
    def target(self) -> str:
        """Engine, format and version, for example `opensearch_ltr-3.6`."""
        return f"opensearch_ltr-{self._options.version}"

    def write(self, ranker: RankerFiles) -> dict[str, bytes]:
        """Write model.json, feature_set.json (bodies of the plugin's API) and rescore_query.json.

        Args:
            ranker: The trained ranker.

        Returns:
            File name to content.

        Raises:
            ExportError: The plugin cannot load or score this ranker the way it was trained.
        """
        forest = ranker.forest
        refuse_other_directions(forest, ranker.keep_absent, self._rule, self.target)
        needed = needed_features(ranker.feature_set, forest.used_features())
        definition = ltr_json.definition(forest)
        features = plugin_features(needed)
        name = _name(ranker.corpus, features, definition)
        model = {"model": {"name": name, "model": {"type": "model/xgboost+json", "definition": definition}}}
        files = {
            "model.json": to_json(model, indent=None),
            "feature_set.json": to_json(self._feature_set(features, needed)),
            "rescore_query.json": to_json(self._rescore_query(name, needed)),
        }
        _refuse_too_big(len(definition), len(files["model.json"]))
        return files

    def score(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """Score vectors from model.json as the plugin does: float32, ties right, and its version's missing rule.

        Args:
            files: What `write` returned.
            features: float32, shape (n_rows, n_features); NaN is an absent feature.
            feature_names: Names of the columns.

        Returns:
            The sum before the constant, which is the last tree and the same for every document.

        Raises:
            ExportError: A score with its constant is below zero.
        """
        forest = ltr_json.as_forest(ltr_json.parse(_definition(files)), feature_names)
        leaves = leaf_places(forest, features, self._rule)
        scores = sum_leaves(forest, leaves[:-1])
        lowest = float((scores + forest.value[leaves[-1]]).min(initial=0.0))
        if lowest < 0:
            raise ExportError(
                f"{self.target}: a score of {lowest:g} is below zero, which a rescore query must not return.",
                hint="Report this: the constant is too small.",
            )
        return scores.astype(np.float64)

    def trace(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> list[list[TreePath]]:
        """Walk a few vectors through model.json in plain Python; the base's and the constant's tree are left out."""
        trees = json.loads(_definition(files))[1:-1]
        rows = [dict(zip(feature_names, row, strict=True)) for row in features.tolist()]
        return [[ltr_json.trace_tree(tree, values, self._rule) for tree in trees] for values in rows]

    def facts(self, ranker: RankerFiles, files: Mapping[str, bytes]) -> dict[str, Any]:
        """Return names in the engine, the requests that load the files, the constant and the missing rule."""
        forest = ranker.forest
        needed = needed_features(ranker.feature_set, forest.used_features())
        constant, (_, highest) = ltr_json.constant(forest), ltr_json.score_bounds(forest)
        memory_bytes = BYTES_PER_NODE * (len(forest.splits) + len(forest.leaves))
        return {
            "engine": {"name": "opensearch", "plugin": "opensearch-ltr", "version": self._options.version},
            "requests": self._requests(files),
            "query_params": sorted(query_params(needed)),
            "features": list(needed.names),
            "constant": constant,
            "score_resolution": float(np.spacing(np.float32(constant + highest))),
            "missing_values": {"rule": self._rule, "meaning": RULES[self._rule]},
            "memory_bytes": memory_bytes,
            "warnings": self._warnings(needed, memory_bytes),
        }

    def _feature_set(self, features: list[dict[str, Any]], needed: FeatureSet) -> dict[str, Any]:
        body: dict[str, Any] = {"featureset": {"features": features}}
        if self._options.index:
            # Without it the plugin stores a broken set and answers 201.
            body["validation"] = {"index": self._options.index, "params": query_params(needed)}
        return body

    def _rescore_query(self, model: str, needed: FeatureSet) -> dict[str, Any]:
        """Only the ranker counts: the first query's weight is 0, so documents past the window score 0 and follow."""
        fields = text_fields(needed)
        keywords = query_params(needed).get("keywords")
        first = {"multi_match": {"query": keywords, "fields": fields}} if fields else {"match_all": {}}
        ranked = {"model": model, "params": query_params(needed)}
        if self._options.store:
            ranked["store"] = self._options.store
        query = {"rescore_query": {"sltr": ranked}, "query_weight": 0, "rescore_query_weight": 1}
        size = min(10, self._options.window_size)
        return {"size": size, "query": first, "rescore": {"window_size": self._options.window_size, "query": query}}

    def _requests(self, files: Mapping[str, bytes]) -> list[dict[str, str]]:
        """List what to send, in order; the first answers 400 when the store is there already."""
        root = f"/_ltr/{self._options.store}" if self._options.store else "/_ltr"
        name = json.loads(files["model.json"])["model"]["name"]
        feature_set = f"{root}/_featureset/{name}"
        return [
            {"method": "PUT", "path": root},
            {"method": "POST", "path": feature_set, "body": "feature_set.json"},
            {"method": "POST", "path": f"{feature_set}/_createmodel", "body": "model.json"},
            {"method": "POST", "path": f"/{self._options.index or '<index>'}/_search", "body": "rescore_query.json"},
        ]

    def _warnings(self, needed: FeatureSet, memory_bytes: int) -> list[str]:
        warnings = []
        if memory_bytes > CACHE_BYTES:
            warnings.append(
                f"The model takes about {memory_bytes / 2**20:.0f} MB in the engine, more than ltr.caches.max_mem "
                "(10 MB by default): the plugin would parse it again for every search. Raise the setting in "
                "opensearch.yml, or train fewer or shallower trees."
            )
        if int(self._options.version.split(".")[0]) < 3 and text_fields(needed):
            warnings.append(
                "OpenSearch 2 multiplies BM25 by 2.2 (k1 + 1), OpenSearch 3 does not: a ranker trained on values "
                "without the factor ranks otherwise there."
            )
        return warnings


def _definition(files: Mapping[str, bytes]) -> str:
    return str(json.loads(files["model.json"])["model"]["model"]["definition"])


def _name(corpus: str, features: list[dict[str, Any]], definition: str) -> str:
    """Name feature set and model by what is in them: the plugin never updates a model, so new content, new name."""
    content = json.dumps([corpus, features, definition], sort_keys=True)
    readable = re.sub(r"[^a-z0-9]+", "_", corpus.lower()).strip("_")[:40]
    return "_".join(filter(None, ["rankhammer", readable, hashlib.sha256(content.encode()).hexdigest()[:12]]))


def _refuse_too_big(definition_chars: int, body_bytes: int) -> None:
    limits = {
        "characters in one JSON string": (definition_chars, MAX_DEFINITION),
        "bytes in one request (http.max_content_length)": (body_bytes, MAX_BODY),
    }
    for what, (size, limit) in limits.items():
        if size > limit:
            raise ExportError(
                f"The model has {size:,} {what}; OpenSearch takes {limit:,}.",
                hint="Train fewer or shallower trees (max_depth, n_rounds).",
                size=size,
                limit=limit,
            )
