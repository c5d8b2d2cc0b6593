"""Whether a cluster is of the line that a ranker was written for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.deploy.requests import Request
from rankhammer.errors import EngineError
from rankhammer.exporters.missing_values import RULES, opensearch_rule
from rankhammer.exporters.opensearch_ltr import has_bm25_factor

if TYPE_CHECKING:
    from rankhammer.deploy.package import Package
    from rankhammer.engines.remote.client import Client

WHAT = Request("GET", "/", note="has to be OpenSearch")
PLUGINS = Request("GET", "/_cat/plugins?format=json&h=component,version", note="has to have a plugin of the same line")
_COMPONENT = "opensearch-ltr"


def require_fitting(client: Client, package: Package) -> None:
    """Refuse a cluster on which the ranker would score otherwise than it was proved to.

    Args:
        client: Asks the cluster.
        package: What is to be deployed.

    Raises:
        EngineError: It is no OpenSearch, lacks the plugin, or is of another line; every node's plugin counts.
    """
    where, wanted = client.server.url, str(package.manifest["engine"]["version"])
    about = WHAT.send(client).body
    version = about.get("version", {}) if isinstance(about, dict) else {}
    if version.get("distribution") != "opensearch":
        raise EngineError(
            f"{where} is no OpenSearch (it says {version.get('distribution', 'nothing')!r}).",
            hint="Deploy an export for OpenSearch to OpenSearch clusters alone.",
        )
    found = {row["version"] for row in PLUGINS.send(client).body if row["component"] == _COMPONENT}
    if not found:
        raise EngineError(
            f"{where} has no Learning to Rank plugin.", hint=f"Install {_COMPONENT} on every node of the cluster."
        )
    _require_same_bm25(where, wanted, str(version["number"]))
    for number in sorted(found):
        _require_same_rule(where, wanted, number)


def _require_same_bm25(where: str, wanted: str, found: str) -> None:
    if has_bm25_factor(wanted) != has_bm25_factor(found):
        raise EngineError(
            f"{where} is of version {found}, the ranker is for {wanted}: BM25 differs by a factor of 2.2 between them.",
            hint=f"Collect features from that line, train, and export with version: {_line(found)!r}.",
        )


def _require_same_rule(where: str, wanted: str, found: str) -> None:
    rule, other = opensearch_rule(wanted), opensearch_rule(found)
    if rule != other:
        raise EngineError(
            f"{where} has the plugin at {found}, the ranker is for {wanted}: there {RULES[other]}, but the ranker was "
            f"proved where {RULES[rule]}.",
            hint=f"Export again with version: {_line(found)!r}.",
        )


def _line(version: str) -> str:
    return ".".join(version.split(".")[:2])
