"""Files for the Learning to Rank plugin that OpenSearch and Elasticsearch share: model, feature set, example query."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import orjson
from pydantic import Field

from rankhammer.canonical_json import to_json
from rankhammer.digests import content_name
from rankhammer.errors import ExportError
from rankhammer.exporters.ir.negative_values import negative_value_warnings
from rankhammer.exporters.ir.tree_scoring import lifting_constant
from rankhammer.exporters.ir.with_missing_rule import RULES
from rankhammer.exporters.targets.model_files import ModelFiles, writer_for
from rankhammer.feature_sets import TextFields
from rankhammer.feature_sets.dialects.ltr_features import first_query, plugin_features, query_params, text_fields
from rankhammer.feature_sets.needed_features import located_features

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.targets.ltr_models import LtrModel
    from rankhammer.exporters.targets.model_files import ParsedModel
    from rankhammer.feature_sets import FeatureSet

MAX_DEFINITION = 50_000_000
"""Characters of a model's definition that the engine's JSON reader takes as one string."""
MAX_BODY = 100 * 1024 * 1024
"""Bytes of a request that the engine takes by default (http.max_content_length)."""
CACHE_BYTES = 10 * 1024 * 1024
"""Default of ltr.caches.max_mem."""


class LtrPluginOptions(TextFields):
    """What every exporter for the plugin can be told."""

    store: str | None = Field(None, pattern=r"^[a-z0-9_]+$", description="feature store; null is the default store")
    index: str | None = Field(None, description="index on which the plugin tries each template before storing the set")
    window_size: int = Field(100, ge=1, le=10_000, description="documents that the example query reranks")


@dataclass(frozen=True)
class LtrEngine:
    """One engine with the plugin, at one version.

    Args:
        name: "opensearch" or "elasticsearch".
        plugin: The plugin's own name.
        version: The version that sets the missing rule.
        rule: What an absent feature means there.
        bm25_warning: What to say of the engine's BM25; empty where it has no factor k1 + 1.
        proof: How exports for it are proved, as `verification` says it.
    """

    name: str
    plugin: str
    version: str
    rule: Absent
    bm25_warning: str
    proof: Mapping[str, str]


class LtrPlugin(ModelFiles[LtrPluginOptions]):
    """Model, feature set and example query for the plugin.

    Features are never absent by construction (each template matches every document), so that all versions of the
    plugin score alike; names in the engine carry a hash of the content, because the plugin never updates a model. A
    constant lifts every score to zero or above: documents past the rescored ones score 0, and must not come before.

    Args:
        options: What to write.
        engine: Whom it is for.
    """

    models: ClassVar[Mapping[str, LtrModel[Any]]]
    """What a ranker is made of to the model type that is written for it."""
    kinds: ClassVar[tuple[str, ...]] = ("trees", "linear")

    def __init__(self, options: LtrPluginOptions, engine: LtrEngine) -> None:
        super().__init__(options)
        self._engine = engine

    def write(self, ranker: TrainedRanker) -> dict[str, bytes]:
        """Write model.json, feature_set.json (bodies of the plugin's API) and rescore_query.json.

        Raises:
            ExportError: The plugin cannot load or score this ranker the way it was trained.
        """
        form, model = ranker.form, writer_for(ranker, self.target, self.models)
        form.refuse_absent(ranker.keep_absent, model.rule(self._engine.rule), self.target)
        needed = located_features(ranker.feature_set, ranker.form.used_features(), self._options, self._engine.name)
        constant = lifting_constant(form.bounds()[0])
        definition = model.definition(form, needed, constant)
        features = [*plugin_features(needed), *model.constant_features(constant)]
        name = content_name(ranker.corpus, features, definition)
        body = {"model": {"name": name, "model": {"type": model.type, "definition": definition}}}
        files = {
            "model.json": to_json(body, indent=None),
            "feature_set.json": to_json(self._feature_set(features, needed)),
            "rescore_query.json": to_json(self._rescore_query(name, needed)),
        }
        _refuse_too_big(len(definition), len(files["model.json"]))
        return files

    def parse(self, files: Mapping[str, bytes]) -> ParsedModel:
        """Read model.json as the plugin does, with the names of the stored features.

        Raises:
            ExportError: The plugin would refuse it.
        """
        body = orjson.loads(files["model.json"])["model"]["model"]
        model = next(model for model in self.models.values() if model.type == body["type"])
        features = orjson.loads(files["feature_set.json"])["featureset"]["features"]
        stored = tuple(feature["name"] for feature in features)
        return model.parse(str(body["definition"]), stored, model.rule(self._engine.rule))

    def score(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """See `Exporter`: in float32, ties right, by the plugin version's missing rule, without the constant.

        Raises:
            ExportError: A score with its constant is below zero.
        """
        parsed = self.parse(files)
        scores = parsed.score(features, feature_names)
        lowest = float((scores.astype(np.float32) + np.float32(parsed.constant)).min(initial=0.0))
        if lowest < 0:
            raise ExportError(
                f"{self.target}: a score of {lowest:g} is below zero, which a rescore query must not return.",
                hint="Report this: the constant is too small.",
            )
        return scores

    def facts(self, ranker: TrainedRanker, files: Mapping[str, bytes]) -> dict[str, Any]:
        """Return names in the engine, the requests that load the files, the constant and the missing rule."""
        form, engine, model = ranker.form, self._engine, writer_for(ranker, self.target, self.models)
        needed = located_features(ranker.feature_set, ranker.form.used_features(), self._options, self._engine.name)
        lowest, highest = form.bounds()
        constant, rule, memory_bytes = lifting_constant(lowest), model.rule(engine.rule), model.memory_bytes(form)
        return {
            "engine": {"name": engine.name, "plugin": engine.plugin, "version": engine.version},
            "model_type": model.type,
            **engine.proof,
            "requests": self._requests(files),
            "query_params": sorted(query_params(needed)),
            "features": list(needed.names),
            "constant": constant,
            "score_resolution": float(np.spacing(np.float32(constant + highest))),
            "missing_values": {"rule": rule, "meaning": RULES[rule]},
            "memory_bytes": memory_bytes,
            "warnings": [
                *self._warnings(needed, memory_bytes),
                *negative_value_warnings(form, needed),
                *form.unproved(),
            ],
        }

    def _feature_set(self, features: list[dict[str, Any]], needed: FeatureSet) -> dict[str, Any]:
        body: dict[str, Any] = {"featureset": {"features": features}}
        if self._options.index:
            # Without it the plugin stores a broken set and answers 201.
            body["validation"] = {"index": self._options.index, "params": query_params(needed)}
        return body

    def _rescore_query(self, model: str, needed: FeatureSet) -> dict[str, Any]:
        """Only the ranker counts: the first query's weight is 0, so documents past the window score 0 and follow."""
        ranked = {"model": model, "params": query_params(needed)}
        if self._options.store:
            ranked["store"] = self._options.store
        query = {"rescore_query": {"sltr": ranked}, "query_weight": 0, "rescore_query_weight": 1}
        size = min(10, self._options.window_size)
        rescore = {"window_size": self._options.window_size, "query": query}
        return {"size": size, "query": first_query(needed), "rescore": rescore}

    def _requests(self, files: Mapping[str, bytes]) -> list[dict[str, str]]:
        """List what to send, in order; the first answers 400 when the store is there already."""
        root = f"/_ltr/{self._options.store}" if self._options.store else "/_ltr"
        name = orjson.loads(files["model.json"])["model"]["name"]
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
                f"{self._engine.name}.yml, or train fewer or shallower trees."
            )
        if self._engine.bm25_warning and text_fields(needed):
            warnings.append(self._engine.bm25_warning)
        return warnings


def _refuse_too_big(definition_chars: int, body_bytes: int) -> None:
    limits = {
        "characters in one JSON string": (definition_chars, MAX_DEFINITION),
        "bytes in one request (http.max_content_length)": (body_bytes, MAX_BODY),
    }
    for what, (size, limit) in limits.items():
        if size > limit:
            raise ExportError(
                f"The model has {size:,} {what}; the engine takes {limit:,}.",
                hint="Train fewer or shallower trees (max_depth, n_rounds).",
                size=size,
                limit=limit,
            )
