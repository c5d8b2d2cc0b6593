"""Feature set and model into a cluster's feature store, under a name that nothing else ever has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rankhammer.deploy.requests import Request
from rankhammer.engines.remote.feature_store import FeatureStore
from rankhammer.errors import EngineError
from rankhammer.exporters.ltr_features import search_params

if TYPE_CHECKING:
    from rankhammer.deploy.package import Package
    from rankhammer.engines.remote.client import Client

_NOT_FOUND, _NOT_UPDATABLE = 404, 405


def upload(client: Client, package: Package, index: str, query: str) -> None:
    """Store what a search needs; nothing uses it yet. What an earlier try has stored is left as it is.

    Args:
        client: Asks the cluster.
        package: What to store.
        index: On which the plugin tries each template first.
        query: By which it tries them.

    Raises:
        EngineError: The cluster refuses, or has another model under the name.
    """
    store = FeatureStore(client, package.store)
    store.open()
    features, model = upload_requests(package, index, query)
    features.send(client)
    if model.send(client).status == _NOT_UPDATABLE:
        _require_same(client, store, package)


def upload_requests(package: Package, index: str, query: str) -> tuple[Request, Request]:
    """Return the requests that store the feature set and the model."""
    path = f"{root_of(package.store)}/_featureset/{package.name}"
    params = search_params(package.manifest["query_params"], query)
    body = {"featureset": package.featureset, "validation": {"index": index, "params": params}}
    return (
        Request("POST", path, body, "each template is tried on the index"),
        Request("POST", f"{path}/_createmodel", package.model, "405 where it is there already", (_NOT_UPDATABLE,)),
    )


def remove(client: Client, name: str, store: str | None) -> None:
    """Delete a model and its feature set; what is not there any more is no fault."""
    for kind in ("model", "featureset"):
        Request("DELETE", f"{root_of(store)}/_{kind}/{name}", allowed=(_NOT_FOUND,)).send(client)


def root_of(store: str | None) -> str:
    """Return the path of a feature store."""
    return f"/_ltr/{store}" if store else "/_ltr"


def _trees(definition: Any) -> Any:
    """Read a definition, which the plugin keeps as a text or as JSON."""
    return json.loads(definition) if isinstance(definition, str) else definition


def _require_same(client: Client, store: FeatureStore, package: Package) -> None:
    """The plugin never updates a model: the one that is there has to be this very one."""
    found: Any = client.ask("GET", f"{store.root}/_model/{package.name}").body
    there = found["_source"]["model"]
    same_model = _trees(there["model"]["definition"]) == _trees(package.model["model"]["model"]["definition"])
    same_features = there["feature_set"]["features"] == package.featureset["features"]
    if not (same_model and same_features):
        raise EngineError(
            f"{client.server.url} has another model under the name {package.name!r}, and the plugin never updates one.",
            hint=f"See who made it; DELETE {store.root}/_model/{package.name} removes it where nothing uses it.",
        )
