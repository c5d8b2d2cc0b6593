"""Solr with its Learning To Rank module: features, models and the active ranker by the stores of a collection.

The active ranker is kept as parameter sets, which searches name by `useParams`. Two sets are written by one request:
what a search needs, which is the alias that Solr lacks for models, and the record.

References:
    Apache Solr Reference Guide 8.11, "Request Parameters API".
"""

from __future__ import annotations

import json
import math
import re
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rankhammer.deploy.active_ranker import ActiveRanker, read_body, someone_else
from rankhammer.deploy.requests import EngineRequest
from rankhammer.errors import EngineError
from rankhammer.exporters.targets.solr_ltr import SolrLtr, SolrLtrOptions
from rankhammer.feature_sets.dialects.solr_features import read_params, solr_params
from rankhammer.feature_sources.remote.solr_logging import log_search, logged_values, only_these, require_whole_answer
from rankhammer.search_engines.answer import parsed
from rankhammer.search_engines.feature_store import SolrStore, features_path, models_path
from rankhammer.search_engines.paths import path
from rankhammer.search_engines.shapes import ParamSet, SolrAbout, SolrParams

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.deploy.base import ExportedRanker, SampleSearch
    from rankhammer.deploy.options import DeployOptions
    from rankhammer.search_engines.answer import Response
    from rankhammer.search_engines.client import Client

_SERVED = ("rq", "rerank_docs")
"""Parameters of an example search that are the ranker's; the others are the user's."""


@dataclass(frozen=True)
class SolrActiveRankerStore:
    """One corpus' record; see `base.ActiveRankerStore`.

    Args:
        collection: Collection or core that has the rankers.
        corpus: Whose record.
    """

    collection: str
    corpus: str

    @property
    def name(self) -> str:
        """Name of the parameter set that a search uses: Solr takes letters, digits, `_`, `.` and `-`."""
        return "rankhammer_" + re.sub(r"[^\w.-]|[^\x00-\x7f]", lambda found: f"-{ord(found[0]):x}-", self.corpus)

    def read_request(self) -> EngineRequest:
        """See `base.ActiveRankerStore`."""
        return EngineRequest(
            "GET", path(self.collection, "config", "params", f"{self.name}.record"), note="what is active now"
        )

    def write_requests(self, active: ActiveRanker) -> list[EngineRequest]:
        """See `base.ActiveRankerStore`; Solr has no guard against others, so the record is looked at right before."""
        example: dict[str, Any] = json.loads(active.entry(active.active)["example"])
        served = {name: example["params"][name] for name in _SERVED}
        sets = {self.name: served, f"{self.name}.record": {"record": json.dumps(active.body())}}
        note = f"from here on searches with useParams={self.name} use the ranker"
        return [
            self.read_request(),
            EngineRequest("POST", path(self.collection, "config", "params"), {"set": sets}, note),
        ]

    def read(self, client: Client) -> ActiveRanker:
        """See `base.ActiveRankerStore`."""
        request = self.read_request()
        answer = request.send(client)
        found = answer.read(SolrParams).response.params.get(f"{self.name}.record")
        if found is None:
            return ActiveRanker(self.corpus)
        version = client.about(found).read(ParamSet).version.v
        body = parsed(str(found["record"]).encode()) if "record" in found else found
        return read_body(client.about(body), answer.where, self.corpus, (version,), "Delete that parameter set.")

    def write(self, client: Client, active: ActiveRanker) -> None:
        """See `base.ActiveRankerStore`."""
        if self.read(client).place != active.place:
            raise someone_else(client, self.corpus)
        self.write_requests(active)[-1].send(client)


MODEL, FEATURES, EXAMPLE = "model.json", "feature_store.json", "rerank_query.json"
WHAT = EngineRequest("GET", "/admin/info/system", note="has to be Solr", allowed=(404,))
_BAD_REQUEST, _NOT_FOUND, _FAILED = 400, 404, 500
_OWN = {"q", "rq", "fl", "rows", "rerank_docs"}
"""Parameters of an example search that do not hold the user's words."""


class SolrTarget:
    """Solr; `url` ends with /solr as a rule. See `base.EngineTarget`."""

    engine: ClassVar[str] = "solr"
    exporter: ClassVar[str] = "solr_ltr"
    files: ClassVar[tuple[str, ...]] = (MODEL, FEATURES, EXAMPLE)
    facts: ClassVar[tuple[str, ...]] = ()

    def name_of(self, exported: ExportedRanker) -> str:
        """See `base.EngineTarget`."""
        return str(exported.json(MODEL)["name"])

    def store_of(self, exported: ExportedRanker) -> None:  # noqa: ARG002 - see `base.EngineTarget`
        """See `base.EngineTarget`: the feature store has the model's name."""
        return

    def example_of(self, exported: ExportedRanker) -> dict[str, Any]:
        """See `base.EngineTarget`."""
        return dict(exported.json(EXAMPLE))

    def scorer_of(self, exported: ExportedRanker) -> SolrLtr:  # noqa: ARG002 - see `base.EngineTarget`
        """See `base.EngineTarget`."""
        return SolrLtr(SolrLtrOptions())

    def store(self, options: DeployOptions, corpus: str) -> SolrActiveRankerStore:
        """See `base.EngineTarget`: in the collection that has the rankers."""
        return SolrActiveRankerStore(options.index_of(corpus), corpus)

    def fit_requests(self, exported: ExportedRanker, index: str) -> list[EngineRequest]:
        """See `base.EngineTarget`."""
        collection = f"{path(index, 'select')}?q=*:*&rows=0"
        return [
            WHAT,
            EngineRequest("GET", collection, note="has to have the collection", allowed=(_NOT_FOUND,)),
            EngineRequest(
                "GET", features_path(index, exported.name), note="has to have the module", allowed=(_NOT_FOUND,)
            ),
        ]

    def require_fitting(self, client: Client, exported: ExportedRanker, index: str) -> str:
        """See `base.EngineTarget`."""
        what, collection, module = self.fit_requests(exported, index)
        answer, where = what.send(client), client.server.url
        if not isinstance(answer.body, dict) or "lucene" not in answer.body:
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
        return answer.read(SolrAbout).lucene.version

    def upload_requests(self, exported: ExportedRanker, index: str, query: str) -> list[EngineRequest]:  # noqa: ARG002
        """See `base.EngineTarget`."""
        return [
            EngineRequest("GET", features_path(index, exported.name), note="what is stored in part is deleted first"),
            EngineRequest(
                "PUT", features_path(index), exported.json(FEATURES), "features, in a store of the model's name"
            ),
            _model_request(exported, index),
        ]

    def upload(self, client: Client, exported: ExportedRanker, index: str, query: str) -> None:  # noqa: ARG002
        """See `base.EngineTarget`; Solr looks at no template before a search asks for it."""
        store = SolrStore(client, index)
        store.put_features(exported.name, [_without_store(feature) for feature in exported.json(FEATURES)])
        try:
            answer = _model_request(exported, index).send(client)
        except EngineError:
            # The answer did not come: memory may have run out.
            with suppress(EngineError):
                store.reload()
            raise
        if answer.status == _BAD_REQUEST and "already exists" in answer.reason:
            _require_same(store, exported)
        elif answer.status >= _BAD_REQUEST:
            store.reload()
            raise _refused(client, exported, answer)

    def remove(self, client: Client, entry: Mapping[str, Any]) -> None:
        """See `base.EngineTarget`."""
        SolrStore(client, str(entry["index"])).remove(str(entry["name"]))

    def rerank_request(self, example: Mapping[str, Any], sample: SampleSearch) -> EngineRequest:
        """See `base.EngineTarget`."""
        given = example["params"]
        params = {
            **given,
            **solr_params([name for name in given if name not in _OWN], sample.query),
            "q": "{!bool must=$everything should=$first}",
            "everything": "*:*",
            "first": given["q"],
            "rows": sample.n_documents,
            "rerank_docs": sample.n_documents,
        }
        if sample.doc_ids is not None:
            params |= only_these(sample.doc_ids, _id_field(example))
        note = f"reranks for {sample.query!r}; every score has to be right"
        return EngineRequest("POST", path(sample.index, "select"), {"params": params}, note)

    def scores(self, body: Any) -> dict[str, float]:
        """See `base.EngineTarget`."""
        require_whole_answer(body)
        docs = body["response"]["docs"]
        key = next((name for name in docs[0] if name != "score"), "") if docs else ""
        return {doc[key]: _number(doc.get("score")) for doc in docs}

    def log_request(self, exported: ExportedRanker, sample: SampleSearch) -> EngineRequest:
        """See `base.EngineTarget`."""
        names = read_params(exported.json(FEATURES))
        key = _id_field(exported.example)
        body = log_search(exported.name, names, sample.query, sample.doc_ids or (), id_field=key)
        return EngineRequest(
            "POST", path(sample.index, "select"), body, "the features of the documents that were reranked"
        )

    def logged(
        self, body: Any, exported: ExportedRanker, doc_ids: Sequence[str]
    ) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """See `base.EngineTarget`."""
        return logged_values(body, exported.feature_names, doc_ids, id_field=_id_field(exported.example))


def _model_request(exported: ExportedRanker, index: str) -> EngineRequest:
    note = "400 where it is there already"
    return EngineRequest("PUT", models_path(index), exported.json(MODEL), note, (_BAD_REQUEST, _FAILED))


def _without_store(feature: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in feature.items() if key != "store"}


def _id_field(example: Mapping[str, Any]) -> str:
    return str(example["params"]["fl"].partition(",")[0])


def _number(score: Any) -> float:
    """Solr writes what is no number as a text."""
    return float(score) if isinstance(score, int | float) else math.nan


def _require_same(store: SolrStore, exported: ExportedRanker) -> None:
    """Solr never updates a model: the one that is there has to be this very one."""
    there, wanted = store.model(exported.name), exported.json(MODEL)
    names = [feature["name"] for feature in wanted["features"]]
    same_features = there is not None and [feature.name for feature in there.features] == names
    if there is None or there.params != json.loads(json.dumps(wanted["params"])) or not same_features:
        where = models_path(store.collection, exported.name)
        raise EngineError(
            f"{store.client.server.url} has another model named {exported.name!r}, and Solr never updates a model.",
            hint=f"See who made it; DELETE {where} removes it where nothing uses it.",
        )


def _refused(client: Client, exported: ExportedRanker, answer: Response) -> EngineError:
    size = len(exported.files[MODEL]) / 2**20
    hint = "Its own words say what to change; its log may say more."
    if "OutOfMemory" in answer.reason:
        hint = f"Give Solr more heap (the export's warnings say how much for {size:.1f} MB), or train fewer trees."
    return EngineError(
        f"{client.server.url} does not take the model: {answer.status} {answer.reason}. The collection was reloaded, "
        "so that the models it had are there again.",
        hint=hint,
    )
