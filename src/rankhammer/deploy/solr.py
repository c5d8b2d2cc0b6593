"""Solr with its Learning To Rank module: features and models by the managed stores of a collection."""

from __future__ import annotations

import json
import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from rankhammer.deploy.requests import Request
from rankhammer.deploy.solr_records import SolrRecords
from rankhammer.engines.remote.solr_logging import log_search, logged_values, only_these, require_whole_answer
from rankhammer.engines.remote.solr_store import SolrStore, features_path, models_path
from rankhammer.errors import EngineError
from rankhammer.exporters.solr_features import read_params, solr_params
from rankhammer.exporters.solr_ltr import SolrLtr, SolrLtrOptions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.deploy.base import Asked
    from rankhammer.deploy.options import DeployOptions
    from rankhammer.deploy.package import Package
    from rankhammer.engines.remote.client import Answer, Client

MODEL, FEATURES, EXAMPLE = "model.json", "feature_store.json", "rerank_query.json"
WHAT = Request("GET", "/admin/info/system", note="has to be Solr", allowed=(404,))
_BAD_REQUEST, _NOT_FOUND, _FAILED = 400, 404, 500
_OWN = {"q", "rq", "fl", "rows", "rerank_docs"}
"""Parameters of an example search that do not hold the user's words."""


class SolrTarget:
    """Solr; `url` ends with /solr as a rule. See `base.Target`."""

    engine: ClassVar[str] = "solr"
    exporter: ClassVar[str] = "solr_ltr"
    files: ClassVar[tuple[str, ...]] = (MODEL, FEATURES, EXAMPLE)
    facts: ClassVar[tuple[str, ...]] = ()

    def name_of(self, package: Package) -> str:
        """See `base.Target`."""
        return str(package.json(MODEL)["name"])

    def store_of(self, package: Package) -> None:  # noqa: ARG002 - see `base.Target`
        """See `base.Target`: the feature store has the model's name."""
        return

    def example_of(self, package: Package) -> dict[str, Any]:
        """See `base.Target`."""
        return dict(package.json(EXAMPLE))

    def scorer_of(self, package: Package) -> SolrLtr:  # noqa: ARG002 - see `base.Target`
        """See `base.Target`."""
        return SolrLtr(SolrLtrOptions())

    def records(self, options: DeployOptions, corpus: str) -> SolrRecords:
        """See `base.Target`: in the collection that has the rankers."""
        return SolrRecords(options.index_of(corpus), corpus)

    def fit_requests(self, package: Package, index: str) -> list[Request]:
        """See `base.Target`."""
        collection = f"/{index}/select?q=*:*&rows=0"
        return [
            WHAT,
            Request("GET", collection, note="has to have the collection", allowed=(_NOT_FOUND,)),
            Request("GET", features_path(index, package.name), note="has to have the module", allowed=(_NOT_FOUND,)),
        ]

    def require_fitting(self, client: Client, package: Package, index: str) -> str:
        """See `base.Target`."""
        what, collection, module = self.fit_requests(package, index)
        about, where = what.send(client).body, client.server.url
        if not isinstance(about, dict) or "lucene" not in about:
            raise EngineError(f"{where} is no Solr.", hint="Is it Solr's address, with /solr at its end?")
        if collection.send(client).status == _NOT_FOUND:
            raise EngineError(
                f"{where} has no collection {index!r} to try the ranker on.",
                hint="Set `index`, or --index; {corpus} in it stands for the ranker's corpus.",
            )
        if module.send(client).status == _NOT_FOUND:
            raise EngineError(
                f"{where} has no Learning To Rank module in {index!r}.",
                hint="Add solr-ltr and its query parser `ltr` to the collection's solrconfig.xml.",
            )
        return str(about["lucene"]["solr-spec-version"])

    def upload_requests(self, package: Package, index: str, query: str) -> list[Request]:  # noqa: ARG002
        """See `base.Target`."""
        return [
            Request("GET", features_path(index, package.name), note="what is stored in part is deleted first"),
            Request("PUT", features_path(index), package.json(FEATURES), "features, in a store of the model's name"),
            _model_request(package, index),
        ]

    def upload(self, client: Client, package: Package, index: str, query: str) -> None:  # noqa: ARG002
        """See `base.Target`; Solr looks at no template before a search asks for it."""
        store = SolrStore(client, index)
        store.put_features(package.name, [_without_store(feature) for feature in package.json(FEATURES)])
        try:
            answer = _model_request(package, index).send(client)
        except EngineError:
            # The answer did not come: memory may have run out.
            with suppress(EngineError):
                store.reload()
            raise
        if answer.status == _BAD_REQUEST and "already exists" in answer.reason:
            _require_same(store, package)
        elif answer.status >= _BAD_REQUEST:
            store.reload()
            raise _refused(client, package, answer)

    def remove(self, client: Client, entry: Mapping[str, Any]) -> None:
        """See `base.Target`."""
        SolrStore(client, str(entry["index"])).remove(str(entry["name"]))

    def rerank_request(self, example: Mapping[str, Any], asked: Asked) -> Request:
        """See `base.Target`."""
        given = example["params"]
        params = {
            **given,
            **solr_params([name for name in given if name not in _OWN], asked.query),
            "q": "{!bool must=$everything should=$first}",
            "everything": "*:*",
            "first": given["q"],
            "rows": asked.n_documents,
            "rerank_docs": asked.n_documents,
        }
        if asked.doc_ids is not None:
            params |= only_these(asked.doc_ids, _id_field(example))
        note = f"reranks for {asked.query!r}; every score has to be right"
        return Request("POST", f"/{asked.index}/select", {"params": params}, note)

    def scores(self, body: Any) -> dict[str, float]:
        """See `base.Target`."""
        require_whole_answer(body)
        docs = body["response"]["docs"]
        key = next((name for name in docs[0] if name != "score"), "") if docs else ""
        return {doc[key]: _number(doc.get("score")) for doc in docs}

    def log_request(self, package: Package, asked: Asked) -> Request:
        """See `base.Target`."""
        names = read_params(package.json(FEATURES))
        key = _id_field(package.example)
        body = log_search(package.name, names, asked.query, asked.doc_ids or (), id_field=key)
        return Request("POST", f"/{asked.index}/select", body, "the features of the documents that were reranked")

    def logged(
        self, body: Any, package: Package, doc_ids: Sequence[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """See `base.Target`."""
        return logged_values(body, package.feature_names, doc_ids, id_field=_id_field(package.example))


def _model_request(package: Package, index: str) -> Request:
    note = "400 where it is there already"
    return Request("PUT", models_path(index), package.json(MODEL), note, (_BAD_REQUEST, _FAILED))


def _without_store(feature: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in feature.items() if key != "store"}


def _id_field(example: Mapping[str, Any]) -> str:
    return str(example["params"]["fl"].partition(",")[0])


def _number(score: Any) -> float:
    """Solr writes what is no number as a text."""
    return float(score) if isinstance(score, int | float) else math.nan


def _require_same(store: SolrStore, package: Package) -> None:
    """Solr never updates a model: the one that is there has to be this very one."""
    there, wanted = store.model(package.name) or {}, package.json(MODEL)
    names = [feature["name"] for feature in wanted["features"]]
    same_features = [feature["name"] for feature in there.get("features", [])] == names
    if there.get("params") != json.loads(json.dumps(wanted["params"])) or not same_features:
        path = models_path(store.collection, package.name)
        raise EngineError(
            f"{store.client.server.url} has another model under the name {package.name!r}, and Solr never updates one.",
            hint=f"See who made it; DELETE {path} removes it where nothing uses it.",
        )


def _refused(client: Client, package: Package, answer: Answer) -> EngineError:
    size = len(package.files[MODEL]) / 2**20
    hint = "Its own words say what to change; its log may say more."
    if "OutOfMemory" in answer.reason:
        hint = f"Give Solr more heap (the export's warnings say how much for {size:.1f} MB), or train fewer trees."
    return EngineError(
        f"{client.server.url} does not take the model: {answer.status} {answer.reason}. The collection was reloaded, "
        "so that the models it had are there again.",
        hint=hint,
    )
