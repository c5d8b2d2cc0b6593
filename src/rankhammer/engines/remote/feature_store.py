"""The Learning to Rank plugin's feature store on a cluster: what logging and deploying share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.engines.remote.client import Client

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
        return f"/_ltr/{self.name}" if self.name else "/_ltr"

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
        if (self.name or _DEFAULT) in found.body["stores"]:
            return
        made = self.client.ask("PUT", self.root, allowed=(_BAD_REQUEST,))
        # Somebody else may have made it in between, or an earlier try of this very request.
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
        self.client.ask("POST", f"{self.root}/_featureset/{name}", dict(body))
