"""Features and models of a Solr collection: what logging and deploying share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.engines.remote.client import Client


def features_path(collection: str, name: str = "") -> str:
    """Return the path of a collection's feature store, or of all of them."""
    return f"/{collection}/schema/feature-store" + (f"/{name}" if name else "")


def models_path(collection: str, name: str = "") -> str:
    """Return the path of a collection's model, or of all of them."""
    return f"/{collection}/schema/model-store" + (f"/{name}" if name else "")


@dataclass(frozen=True)
class SolrStore:
    """The two stores of one collection or core.

    Args:
        client: Asks Solr.
        collection: Name of the collection or core.
    """

    client: Client
    collection: str

    def put_features(self, name: str, features: Sequence[dict[str, Any]]) -> None:
        """Store features where they are not yet; what an interrupted try has stored in part is made anew.

        Args:
            name: Of the feature store: the caller names it by its content.
            features: name, class and params of each.

        Raises:
            EngineError: Solr refuses one; those before it are stored.
        """
        wanted = [{"store": name, **feature} for feature in features]
        stored = self.client.ask("GET", features_path(self.collection, name)).body.get("features", [])
        if [feature["name"] for feature in stored] == [feature["name"] for feature in wanted]:
            return
        if stored:
            self.client.ask("DELETE", features_path(self.collection, name))
        self.client.ask("PUT", features_path(self.collection), wanted)

    def model(self, name: str) -> dict[str, Any] | None:
        """Return a stored model; Solr has no request for one, so all are read."""
        models = self.client.ask("GET", models_path(self.collection)).body.get("models", [])
        return next((model for model in models if model["name"] == name), None)

    def remove(self, name: str) -> None:
        """Delete a model and the feature store of its name; what is not there any more is no fault.

        The model goes first: a core does not load any more when a model lacks its features.
        """
        self.client.ask("DELETE", models_path(self.collection, name))
        self.client.ask("DELETE", features_path(self.collection, name))

    def reload(self) -> None:
        """Have Solr read its stores again: one that ran out of memory on a model has forgotten all of them."""
        info = self.client.ask("GET", "/admin/info/system").body
        if info.get("mode") == "solrcloud":
            self.client.ask("GET", f"/admin/collections?action=RELOAD&name={self.collection}")
        else:
            self.client.ask("GET", f"/admin/cores?action=RELOAD&core={self.collection}")
