"""The plugin's feature store: sets that POST overwrites, models that nothing overwrites."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

from ltr_node.refusals import Refusal, bad, illegal, only_keys
from ltr_node.templates import check_features
from ltr_node.trees import missing_rule, parse
from ltr_node.weights import parse as parse_weights

_OTHER_TYPES = {"model/ranklib", "model/xgboost+json+raw"}
_LONGEST_NAME = 512


@dataclass(frozen=True)
class Ranked:
    """What an sltr query names: features, and trees or weights where it is a model."""

    features: list[dict]
    trees: list[dict] | None = None
    rule: str = ""
    weights: list[float] | None = None


@dataclass
class Store:
    """One feature store of a node of some version."""

    version: str
    featuresets: dict[str, dict] = field(default_factory=dict)
    models: dict[str, dict] = field(default_factory=dict)
    trees: dict[str, list[dict]] = field(default_factory=dict)
    weights: dict[str, list[float]] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)

    def ranked(self, kind: str, name: str) -> Ranked | None:
        if kind == "featureset":
            return Ranked(self.featuresets[name]["features"]) if name in self.featuresets else None
        if name not in self.models:
            return None
        features = self.models[name]["feature_set"]["features"]
        return Ranked(features, self.trees.get(name), missing_rule(self.version), self.weights.get(name))

    def put_featureset(self, name: str, body: dict, *, overwrite: bool) -> dict:
        """Store a set; the caller has validated it."""
        key = f"featureset-{name}"
        if name in self.featuresets and not overwrite:
            words = f"[{key}]: version conflict, document already exists (current version [{self.versions[key]}])"
            raise Refusal(409, ("version_conflict_engine_exception", words))
        is_new = name not in self.featuresets
        self.featuresets[name] = {"name": name, "features": copy.deepcopy(body["featureset"].get("features", []))}
        return self._stored(key, "created" if is_new else "updated")

    def create_model(self, set_name: str, body: dict) -> dict:
        only_keys(body, {"model"}, "create_model_from_set")
        given = body.get("model", {})
        only_keys(given, {"name", "model"}, "create_model_from_set")
        name, model = given["name"], given["model"]
        only_keys(model, {"type", "definition", "feature_normalizers"}, "model")
        if set_name not in self.featuresets:
            raise illegal(f"Stored feature set [{set_name}] does not exist")
        features = copy.deepcopy(self.featuresets[set_name]["features"])
        parsed = self._parsed(name, model, [feature["name"] for feature in features])
        key = f"model-{name}"
        if len(key.encode()) > _LONGEST_NAME:
            raise bad("action_request_validation_exception", f"Validation Failed: 1: id [{key}] is too long")
        if name in self.models:
            raise Refusal(
                405,
                (
                    "illegal_argument_exception",
                    "Element of type [model] are not updatable, please create a new one instead.",
                ),
            )
        (self.weights if model["type"] == "model/linear" else self.trees)[name] = parsed
        self.models[name] = {"name": name, "feature_set": {"name": set_name, "features": features}, "model": model}
        return self._stored(key, "created")

    def get(self, kind: str, name: str) -> dict | None:
        found = (self.featuresets if kind == "featureset" else self.models).get(name)
        if found is None:
            return None
        source = {"name": name, "type": kind, kind: found}
        return {"_index": ".ltrstore", "_id": f"{kind}-{name}", "found": True, "_source": source}

    def delete(self, kind: str, name: str) -> bool:
        for parsed in (self.trees, self.weights):
            parsed.pop(name if kind == "model" else "", None)
        return (self.featuresets if kind == "featureset" else self.models).pop(name, None) is not None

    def _parsed(self, name: str, model: dict, names: list[str]) -> list:
        outer = ("illegal_argument_exception", f"Error while parsing model [{name}] with type [{model['type']}]")
        if model["type"] in _OTHER_TYPES:
            raise Refusal(501, ("stand_in", f"this stand-in does not know {model['type']}"))
        if model["type"] not in {"model/xgboost+json", "model/linear"}:
            raise illegal(f"Unsupported LtrRanker format/type [{model['type']}]").inside(outer)
        try:
            if model["type"] == "model/linear":
                return parse_weights(model["definition"], names)
            return parse(model["definition"], names, self.version)
        except Refusal as refusal:
            raise refusal.inside(outer) from refusal

    def _stored(self, key: str, result: str) -> dict:
        self.versions[key] = self.versions.get(key, 1) + 1
        return {"_index": ".ltrstore", "_id": key, "_version": self.versions[key], "result": result}


def checked_set(body: dict) -> dict:
    """Return a feature set's body, or refuse it as the plugin does without looking at any index."""
    only_keys(body, {"featureset", "validation"}, "storable_elements")
    featureset = body.get("featureset", {})
    only_keys(featureset, {"name", "features"}, "featureset")
    check_features(featureset.get("features", []))
    return body
