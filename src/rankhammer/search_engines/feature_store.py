"""Stores of features and models, of the Learning to Rank plugin and of Solr: what logging and deploying share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rankhammer.errors import EngineError
from rankhammer.search_engines.paths import path
from rankhammer.search_engines.shapes import SolrAbout, SolrFeatures, SolrModels, Stores

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.search_engines.client import Client
    from rankhammer.search_engines.shapes import SolrStoredModel

_DEFAULT = "_default_"
_BAD_REQUEST, _NOT_FOUND, _NOT_ALLOWED = 400, 404, 405


@dataclass(frozen=True)
class FeatureStore:
    """One feature store of a cluster.

    Args:
        client: Asks the cluster.
        name: Of the store; None is the plugin's default store.
    """

    client: Client
    name: str | None = None

    @property
    def root(self) -> str:
        """Path of the store."""
        return path("_ltr", self.name) if self.name else "/_ltr"

    def open(self) -> None:
        """Make the store where it is not there yet.

        Raises:
            EngineError: The cluster does not have the plugin, or does not let a store be made.
        """
        found = self.client.ask("GET", "/_ltr", allowed=(_BAD_REQUEST, _NOT_FOUND, _NOT_ALLOWED))
        if not isinstance(found.body, dict) or "stores" not in found.body:
            raise EngineError(
                f"{self.client.server.url} has no Learning to Rank plugin: GET /_ltr is answered {found.status} "
                f"{found.reason}",
                hint="Install the plugin on every node; to collect features without it, set logging: named_queries.",
            )
        if (self.name or _DEFAULT) in found.read(Stores).stores:
            return
        made = self.client.ask("PUT", self.root, allowed=(_BAD_REQUEST,))
        # Another user may have made it in between, or an earlier try of this very request.
        if made.status == _BAD_REQUEST and "resource_already_exists" not in made.reason:
            raise EngineError(
                f"{self.client.server.url} does not make the feature store {self.root}: {made.reason}",
                hint="Its own words say what to change.",
            )

    def put_features(self, name: str, body: Mapping[str, Any]) -> None:
        """Store a feature set, over one of the same name: the caller names sets by their content.

        Args:
            name: Of the set.
            body: `featureset`, and `validation` with an index: without it the plugin stores what it cannot compute.

        Raises:
            EngineError: The plugin refuses the set.
        """
        self.client.ask("POST", self.root + path("_featureset", name), dict(body))


def features_path(collection: str, name: str = "") -> str:
    """Return the path of a collection's feature store, or of all of them."""
    return path(collection, "schema", "feature-store", *([name] if name else []))


def models_path(collection: str, name: str = "") -> str:
    """Return the path of a collection's model, or of all of them."""
    return path(collection, "schema", "model-store", *([name] if name else []))


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
        """Store features where they are not yet; what an interrupted try has stored in part is made again.

        Args:
            name: Of the feature store: the caller names it by its content.
            features: name, class and params of each.

        Raises:
            EngineError: Solr refuses one; those before it are stored.
        """
        wanted = [{"store": name, **feature} for feature in features]
        stored = self.client.ask("GET", features_path(self.collection, name)).read(SolrFeatures).features
        if [feature.name for feature in stored] == [feature["name"] for feature in wanted]:
            return
        if stored:
            self.client.ask("DELETE", features_path(self.collection, name))
        self.client.ask("PUT", features_path(self.collection), wanted)

    def model(self, name: str) -> SolrStoredModel | None:
        """Return a stored model; Solr has no request for one, so all are read."""
        models = self.client.ask("GET", models_path(self.collection)).read(SolrModels).models
        return next((model for model in models if model.name == name), None)

    def remove(self, name: str) -> None:
        """Delete a model and the feature store of its name; what is not there any more is no fault.

        The model goes first: a core does not load any more when a model lacks its features.
        """
        self.client.ask("DELETE", models_path(self.collection, name))
        self.client.ask("DELETE", features_path(self.collection, name))

    def reload(self) -> None:
        """Have Solr read its stores again: one that ran out of memory on a model has forgotten all of them."""
        info, name = self.client.ask("GET", "/admin/info/system").read(SolrAbout), quote(self.collection, safe="")
        if info.mode == "solrcloud":
            self.client.ask("GET", f"/admin/collections?action=RELOAD&name={name}")
        else:
            self.client.ask("GET", f"/admin/cores?action=RELOAD&core={name}")
