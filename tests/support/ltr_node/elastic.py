"""The stand-in as Elasticsearch."""

from __future__ import annotations

from ltr_node.server import LtrNode


class ElasticNode(LtrNode):
    """The same paths as Elasticsearch with the plugin of o19s names them; that plugin's own answers were not seen."""

    product = "elasticsearch"
    component = "ltr"

    def __init__(self, plugin_version: str) -> None:
        """`plugin_version` such as 1.5.10; the node scores as the OpenSearch with the same rule does."""
        default = tuple(map(int, plugin_version.split("."))) >= (1, 5, 9)
        super().__init__("3.8.0" if default else "2.19.6")
        self._plugin_version = plugin_version

    def about(self) -> dict:
        return {"number": "8.17.0", "build_flavor": "default"}

    def plugin_version(self) -> str:
        return f"{self._plugin_version}-es8.17.0"
