"""OpenSearch and Elasticsearch with the Learning to Rank plugin: one API, two products.

The active ranker is a document of an index, not a cluster's setting: it needs no right beyond writing to one index.
"""

from __future__ import annotations

import copy
import json
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rankhammer.deploy.active_ranker import ActiveRanker, read_body, someone_else
from rankhammer.deploy.requests import EngineRequest
from rankhammer.errors import EngineError
from rankhammer.feature_sets.dialects.ltr_features import search_params
from rankhammer.feature_sources.remote.base import require_whole
from rankhammer.feature_sources.remote.plugin_logging import log_search, logged_values
from rankhammer.search_engines.answer import reading
from rankhammer.search_engines.feature_store import FeatureStore
from rankhammer.search_engines.paths import path
from rankhammer.search_engines.shapes import About, Plugin, StoredDocument, StoredModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.deploy.base import ExportedRanker, SampleSearch
    from rankhammer.deploy.options import DeployOptions
    from rankhammer.exporters.targets.model_files import ModelFiles
    from rankhammer.search_engines.client import Client
    from rankhammer.search_engines.shapes import Version

_BAD_REQUEST, _NOT_FOUND, _CONFLICT = 400, 404, 409
_MAPPINGS = {"dynamic": False, "properties": {"corpus": {"type": "keyword"}, "active": {"type": "keyword"}}}


@dataclass(frozen=True)
class IndexActiveRankerStore:
    """One corpus' record; see `base.ActiveRankerStore`.

    Args:
        index: That holds the records.
        corpus: Whose record.
    """

    index: str
    corpus: str

    @property
    def path(self) -> str:
        """Path of the document."""
        return path(self.index, "_doc", self.corpus)

    def read_request(self) -> EngineRequest:
        """See `base.ActiveRankerStore`; it is also what a search application asks."""
        return EngineRequest("GET", self.path, note="what is active now", allowed=(_NOT_FOUND,))

    def write_requests(self, active: ActiveRanker) -> list[EngineRequest]:
        """See `base.ActiveRankerStore`; the document is written against the version that was read."""
        number, term = active.place or (0, 0)
        guard = f"if_seq_no={number}&if_primary_term={term}" if active.place else "op_type=create"
        note = "from here on the ranker is active"
        write = EngineRequest("PUT", f"{self.path}?{guard}", active.body(), note, (_CONFLICT,))
        return [write] if active.place else [self._create_request(), write]

    def read(self, client: Client) -> ActiveRanker:
        """See `base.ActiveRankerStore`."""
        answer = self.read_request().send(client)
        if answer.status == _NOT_FOUND:
            return ActiveRanker(self.corpus)
        found = answer.read(StoredDocument)
        hint = "Set record_index in deploy.yml to an index of its own."
        place = (found.seq_no, found.primary_term)
        return read_body(client.about(found.source), answer.where, self.corpus, place, hint)

    def write(self, client: Client, active: ActiveRanker) -> None:
        """See `base.ActiveRankerStore`."""
        *before, write = self.write_requests(active)
        for request in before:
            request.send(client)
        if write.send(client).status != _CONFLICT:
            return
        # An answer that was lost on its way is asked for again: then the conflict is with ourselves.
        if self.read(client).body() != json.loads(json.dumps(active.body())):
            raise someone_else(client, self.corpus)

    def _create_request(self) -> EngineRequest:
        settings = {"number_of_shards": 1, "auto_expand_replicas": "0-1"}
        body = {"settings": settings, "mappings": _MAPPINGS}
        return EngineRequest("PUT", path(self.index), body, "where it is not there yet", (_BAD_REQUEST,))


MODEL, FEATURES, EXAMPLE = "model.json", "feature_set.json", "rescore_query.json"
WHAT = EngineRequest("GET", "/", note="has to be the product that the ranker is for")
PLUGINS = EngineRequest(
    "GET", "/_cat/plugins?format=json&h=component,version", note="has to have a plugin of the same line"
)
_NOT_UPDATABLE = 405


class LtrPluginTarget(ABC):
    """A cluster with the plugin; each product says whether it fits. See `base.EngineTarget`."""

    engine: ClassVar[str]
    exporter: ClassVar[str]
    files: ClassVar[tuple[str, ...]] = (MODEL, FEATURES, EXAMPLE)
    facts: ClassVar[tuple[str, ...]] = ("constant", "score_resolution")
    title: ClassVar[str]
    """The product's name in messages."""
    component: ClassVar[str]
    """The plugin's name in /_cat/plugins."""

    @abstractmethod
    def is_product(self, version: Version) -> bool:
        """Say whether `version` of `GET /` is this product's."""

    @abstractmethod
    def require_same_scores(self, where: str, wanted: str, product: str, plugins: Sequence[str]) -> None:
        """Refuse versions that score differently from the one that the ranker was proved for.

        Args:
            where: The cluster.
            wanted: The version in the export's manifest.
            product: Version of the cluster.
            plugins: Versions of the plugin on its nodes.

        Raises:
            EngineError: One differs.
        """

    @abstractmethod
    def scorer_of(self, exported: ExportedRanker) -> ModelFiles[Any]:
        """See `base.EngineTarget`."""

    def name_of(self, exported: ExportedRanker) -> str:
        """See `base.EngineTarget`."""
        return str(exported.json(MODEL)["model"]["name"])

    def store_of(self, exported: ExportedRanker) -> str | None:
        """See `base.EngineTarget`."""
        found = exported.json(EXAMPLE)["rescore"]["query"]["rescore_query"]["sltr"].get("store")
        return None if found is None else str(found)

    def example_of(self, exported: ExportedRanker) -> dict[str, Any]:
        """See `base.EngineTarget`."""
        return dict(exported.json(EXAMPLE))

    def store(self, options: DeployOptions, corpus: str) -> IndexActiveRankerStore:
        """See `base.EngineTarget`."""
        return IndexActiveRankerStore(options.record_index, corpus)

    def fit_requests(self, exported: ExportedRanker, index: str) -> list[EngineRequest]:  # noqa: ARG002 - see `base.EngineTarget`
        """See `base.EngineTarget`."""
        return [WHAT, PLUGINS, _index_request(index)]

    def require_fitting(self, client: Client, exported: ExportedRanker, index: str) -> str:
        """See `base.EngineTarget`; every node's plugin counts."""
        where, wanted = client.server.url, str(exported.manifest["engine"]["version"])
        version = WHAT.send(client).read(About).version
        if not self.is_product(version):
            raise EngineError(
                f"{where} is no {self.title} (it says {version.distribution or version.number!r}).",
                hint=f"Deploy an export for {self.title} to {self.title} clusters alone.",
            )
        rows = PLUGINS.send(client).read_list(Plugin)
        found = sorted({row.version for row in rows if row.component == self.component})
        if not found:
            raise EngineError(
                f"{where} has no Learning to Rank plugin.",
                hint=f"Install {self.component} on every node of the cluster.",
            )
        with reading(f"{where} asked for its versions"):
            self.require_same_scores(where, wanted, version.number, found)
        if _index_request(index).send(client).status == _NOT_FOUND:
            raise EngineError(
                f"{where} has no index {index!r} to try the ranker on.",
                hint="Set `index`, or --index; {corpus} in it stands for the ranker's corpus.",
            )
        return version.number

    def upload_requests(self, exported: ExportedRanker, index: str, query: str) -> list[EngineRequest]:
        """See `base.EngineTarget`."""
        root = _root_of(self.store_of(exported))
        return [
            EngineRequest("GET", "/_ltr", note="has to have the plugin"),
            EngineRequest("PUT", root, note="where the store is not there yet"),
            *self._writes(exported, index, query),
        ]

    def upload(self, client: Client, exported: ExportedRanker, index: str, query: str) -> None:
        """See `base.EngineTarget`; `index` is where the plugin tries each template first."""
        store = FeatureStore(client, self.store_of(exported))
        store.open()
        features, model = self._writes(exported, index, query)
        features.send(client)
        if model.send(client).status == _NOT_UPDATABLE:
            self._require_same(client, store, exported)

    def remove(self, client: Client, entry: Mapping[str, Any]) -> None:
        """See `base.EngineTarget`."""
        for kind in ("model", "featureset"):
            place = _root_of(entry.get("store")) + path(f"_{kind}", str(entry["name"]))
            EngineRequest("DELETE", place, allowed=(_NOT_FOUND,)).send(client)

    def rerank_request(self, example: Mapping[str, Any], sample: SampleSearch) -> EngineRequest:
        """See `base.EngineTarget`."""
        first, rescore = copy.deepcopy(example["query"]), copy.deepcopy(example["rescore"])
        if "multi_match" in first:
            first["multi_match"]["query"] = sample.query
        ranked = rescore["query"]["rescore_query"]["sltr"]
        ranked["params"] = search_params(ranked["params"], sample.query)
        found: dict[str, Any] = {"must": [{"match_all": {}}], "should": [first]}
        if sample.doc_ids is not None:
            found["filter"] = [{"ids": {"values": list(sample.doc_ids)}}]
        body = {
            "size": sample.n_documents,
            "_source": False,
            "query": {"bool": found},
            "rescore": {**rescore, "window_size": sample.n_documents},
        }
        note = f"reranks for {sample.query!r}; every score has to be right"
        return EngineRequest("POST", path(sample.index, "_search"), body, note)

    def scores(self, body: Any) -> dict[str, float]:
        """See `base.EngineTarget`; a rescore query gives 0 or more."""
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

    def log_request(self, exported: ExportedRanker, sample: SampleSearch) -> EngineRequest:
        """See `base.EngineTarget`."""
        params = search_params(exported.manifest["query_params"], sample.query)
        body = log_search(exported.name, self.store_of(exported), params, sample.doc_ids or ())
        return EngineRequest(
            "POST", path(sample.index, "_search"), body, "the features of the documents that were reranked"
        )

    def logged(
        self, body: Any, exported: ExportedRanker, doc_ids: Sequence[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """See `base.EngineTarget`."""
        require_whole(body)
        # The engine has a feature more where a constant is one.
        stored = [feature["name"] for feature in exported.json(FEATURES)["featureset"]["features"]]
        known, values = logged_values(body, stored, doc_ids)
        return known, values[:, [stored.index(name) for name in exported.feature_names]]

    def _writes(self, exported: ExportedRanker, index: str, query: str) -> tuple[EngineRequest, EngineRequest]:
        place = _root_of(self.store_of(exported)) + path("_featureset", exported.name)
        params = search_params(exported.manifest["query_params"], query)
        features = exported.json(FEATURES)["featureset"]
        body = {"featureset": features, "validation": {"index": index, "params": params}}
        model, note = exported.json(MODEL), "405 where it is there already"
        return (
            EngineRequest("POST", place, body, "each template is tried on the index"),
            EngineRequest("POST", f"{place}/_createmodel", model, note, (_NOT_UPDATABLE,)),
        )

    def _require_same(self, client: Client, store: FeatureStore, exported: ExportedRanker) -> None:
        """The plugin never updates a model: the one that is there has to be this very one."""
        place = store.root + path("_model", exported.name)
        answer = client.ask("GET", place)
        there = answer.read(StoredModel).source.model
        wanted = exported.json(MODEL)["model"]["model"]["definition"]
        with reading(answer.where):
            same_model = _parsed(there.model.definition) == _parsed(wanted)
        same_features = there.feature_set.features == exported.json(FEATURES)["featureset"]["features"]
        if not (same_model and same_features):
            raise EngineError(
                f"{client.server.url} has another model under the name {exported.name!r}, and the plugin never updates "
                "one.",
                hint=f"See who made it; DELETE {place} removes it where nothing uses it.",
            )


def _index_request(index: str) -> EngineRequest:
    return EngineRequest("HEAD", path(index), allowed=(_NOT_FOUND,))


def _root_of(store: str | None) -> str:
    return path("_ltr", store) if store else "/_ltr"


def _parsed(definition: Any) -> Any:
    """Read a definition, which the plugin keeps as a text or as JSON."""
    return json.loads(definition) if isinstance(definition, str) else definition
