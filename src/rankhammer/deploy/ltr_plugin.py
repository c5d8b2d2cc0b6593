"""OpenSearch and Elasticsearch with the Learning to Rank plugin: one API, two products."""

from __future__ import annotations

import copy
import json
import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from rankhammer.deploy.index_records import IndexRecords
from rankhammer.deploy.requests import Request
from rankhammer.engines.remote.base import require_whole
from rankhammer.engines.remote.feature_store import FeatureStore
from rankhammer.engines.remote.plugin_logging import log_search, logged_values
from rankhammer.errors import EngineError
from rankhammer.exporters.ltr_features import search_params

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.deploy.base import Asked
    from rankhammer.deploy.options import DeployOptions
    from rankhammer.deploy.package import Package
    from rankhammer.engines.remote.client import Client
    from rankhammer.exporters.model_files import ModelFiles

MODEL, FEATURES, EXAMPLE = "model.json", "feature_set.json", "rescore_query.json"
WHAT = Request("GET", "/", note="has to be the product that the ranker is for")
PLUGINS = Request("GET", "/_cat/plugins?format=json&h=component,version", note="has to have a plugin of the same line")
_NOT_FOUND, _NOT_UPDATABLE = 404, 405


class LtrPluginTarget(ABC):
    """A cluster with the plugin; each product says whether it fits. See `base.Target`."""

    engine: ClassVar[str]
    exporter: ClassVar[str]
    files: ClassVar[tuple[str, ...]] = (MODEL, FEATURES, EXAMPLE)
    facts: ClassVar[tuple[str, ...]] = ("constant", "score_resolution")
    title: ClassVar[str]
    """The product's name in messages."""
    component: ClassVar[str]
    """The plugin's name in /_cat/plugins."""

    @abstractmethod
    def is_product(self, version: Mapping[str, Any]) -> bool:
        """Say whether `version` of `GET /` is this product's."""

    @abstractmethod
    def require_same_scores(self, where: str, wanted: str, product: str, plugins: Sequence[str]) -> None:
        """Refuse versions that score otherwise than the one that the ranker was proved for.

        Args:
            where: The cluster.
            wanted: The version in the export's manifest.
            product: Version of the cluster.
            plugins: Versions of the plugin on its nodes.

        Raises:
            EngineError: One differs.
        """

    @abstractmethod
    def scorer_of(self, package: Package) -> ModelFiles:
        """See `base.Target`."""

    def name_of(self, package: Package) -> str:
        """See `base.Target`."""
        return str(package.json(MODEL)["model"]["name"])

    def store_of(self, package: Package) -> str | None:
        """See `base.Target`."""
        found = package.json(EXAMPLE)["rescore"]["query"]["rescore_query"]["sltr"].get("store")
        return None if found is None else str(found)

    def example_of(self, package: Package) -> dict[str, Any]:
        """See `base.Target`."""
        return dict(package.json(EXAMPLE))

    def records(self, options: DeployOptions, corpus: str) -> IndexRecords:
        """See `base.Target`."""
        return IndexRecords(options.record_index, corpus)

    def fit_requests(self, package: Package, index: str) -> list[Request]:  # noqa: ARG002 - see `base.Target`
        """See `base.Target`."""
        return [WHAT, PLUGINS, _index_request(index)]

    def require_fitting(self, client: Client, package: Package, index: str) -> str:
        """See `base.Target`; every node's plugin counts."""
        where, wanted = client.server.url, str(package.manifest["engine"]["version"])
        about = WHAT.send(client).body
        version = about.get("version", {}) if isinstance(about, dict) else {}
        if not self.is_product(version):
            raise EngineError(
                f"{where} is no {self.title} (it says {version.get('distribution') or version.get('number')!r}).",
                hint=f"Deploy an export for {self.title} to {self.title} clusters alone.",
            )
        found = sorted({row["version"] for row in PLUGINS.send(client).body if row["component"] == self.component})
        if not found:
            raise EngineError(
                f"{where} has no Learning to Rank plugin.",
                hint=f"Install {self.component} on every node of the cluster.",
            )
        self.require_same_scores(where, wanted, str(version["number"]), found)
        if _index_request(index).send(client).status == _NOT_FOUND:
            raise EngineError(
                f"{where} has no index {index!r} to try the ranker on.",
                hint="Set `index`, or --index; {corpus} in it stands for the ranker's corpus.",
            )
        return str(version["number"])

    def upload_requests(self, package: Package, index: str, query: str) -> list[Request]:
        """See `base.Target`."""
        root = _root_of(self.store_of(package))
        return [
            Request("GET", "/_ltr", note="has to have the plugin"),
            Request("PUT", root, note="where the store is not there yet"),
            *self._writes(package, index, query),
        ]

    def upload(self, client: Client, package: Package, index: str, query: str) -> None:
        """See `base.Target`; `index` is where the plugin tries each template first."""
        store = FeatureStore(client, self.store_of(package))
        store.open()
        features, model = self._writes(package, index, query)
        features.send(client)
        if model.send(client).status == _NOT_UPDATABLE:
            self._require_same(client, store, package)

    def remove(self, client: Client, entry: Mapping[str, Any]) -> None:
        """See `base.Target`."""
        for kind in ("model", "featureset"):
            path = f"{_root_of(entry['store'])}/_{kind}/{entry['name']}"
            Request("DELETE", path, allowed=(_NOT_FOUND,)).send(client)

    def rerank_request(self, example: Mapping[str, Any], asked: Asked) -> Request:
        """See `base.Target`."""
        first, rescore = copy.deepcopy(example["query"]), copy.deepcopy(example["rescore"])
        if "multi_match" in first:
            first["multi_match"]["query"] = asked.query
        ranked = rescore["query"]["rescore_query"]["sltr"]
        ranked["params"] = search_params(ranked["params"], asked.query)
        found: dict[str, Any] = {"must": [{"match_all": {}}], "should": [first]}
        if asked.doc_ids is not None:
            found["filter"] = [{"ids": {"values": list(asked.doc_ids)}}]
        body = {
            "size": asked.n_documents,
            "_source": False,
            "query": {"bool": found},
            "rescore": {**rescore, "window_size": asked.n_documents},
        }
        note = f"reranks for {asked.query!r}; every score has to be right"
        return Request("POST", f"/{asked.index}/_search", body, note)

    def scores(self, body: Any) -> dict[str, float]:
        """See `base.Target`; a rescore query gives 0 or more."""
        require_whole(body)
        hits = body.get("hits", {}).get("hits", [])
        found = {hit["_id"]: math.nan if hit["_score"] is None else float(hit["_score"]) for hit in hits}
        below = [score for score in found.values() if score < 0]
        if below:
            raise EngineError(
                f"{below[0]:g} came as a score; a rescore query must give 0 or more.",
                hint="Nothing was made active. Do what the export's warnings say of scores below zero, or report this.",
            )
        return found

    def log_request(self, package: Package, asked: Asked) -> Request:
        """See `base.Target`."""
        params = search_params(package.manifest["query_params"], asked.query)
        body = log_search(package.name, self.store_of(package), params, asked.doc_ids or ())
        return Request("POST", f"/{asked.index}/_search", body, "the features of the documents that were reranked")

    def logged(
        self, body: Any, package: Package, doc_ids: Sequence[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """See `base.Target`."""
        require_whole(body)
        # The engine has a feature more where a constant is one.
        stored = [feature["name"] for feature in package.json(FEATURES)["featureset"]["features"]]
        known, values = logged_values(body, stored, doc_ids)
        return known, values[:, [stored.index(name) for name in package.feature_names]]

    def _writes(self, package: Package, index: str, query: str) -> tuple[Request, Request]:
        path = f"{_root_of(self.store_of(package))}/_featureset/{package.name}"
        params = search_params(package.manifest["query_params"], query)
        features = package.json(FEATURES)["featureset"]
        body = {"featureset": features, "validation": {"index": index, "params": params}}
        model, note = package.json(MODEL), "405 where it is there already"
        return (
            Request("POST", path, body, "each template is tried on the index"),
            Request("POST", f"{path}/_createmodel", model, note, (_NOT_UPDATABLE,)),
        )

    def _require_same(self, client: Client, store: FeatureStore, package: Package) -> None:
        """The plugin never updates a model: the one that is there has to be this very one."""
        path = f"{store.root}/_model/{package.name}"
        there: Any = client.ask("GET", path).body["_source"]["model"]
        wanted = package.json(MODEL)["model"]["model"]["definition"]
        same_model = _parsed(there["model"]["definition"]) == _parsed(wanted)
        same_features = there["feature_set"]["features"] == package.json(FEATURES)["featureset"]["features"]
        if not (same_model and same_features):
            raise EngineError(
                f"{client.server.url} has another model under the name {package.name!r}, and the plugin never updates "
                "one.",
                hint=f"See who made it; DELETE {path} removes it where nothing uses it.",
            )


def _index_request(index: str) -> Request:
    return Request("HEAD", f"/{index}", allowed=(_NOT_FOUND,))


def _root_of(store: str | None) -> str:
    return f"/_ltr/{store}" if store else "/_ltr"


def _parsed(definition: Any) -> Any:
    """Read a definition, which the plugin keeps as a text or as JSON."""
    return json.loads(definition) if isinstance(definition, str) else definition
