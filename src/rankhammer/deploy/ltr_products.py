"""The two products with the Learning to Rank plugin: which version scores as which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from rankhammer.deploy.ltr_plugin import LtrPluginTarget
from rankhammer.errors import EngineError
from rankhammer.exporters.elasticsearch_ltr import ElasticsearchLtr, ElasticsearchLtrOptions
from rankhammer.exporters.missing_values import RULES, elasticsearch_rule, opensearch_rule
from rankhammer.exporters.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions, has_bm25_factor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.deploy.package import Package
    from rankhammer.exporters.walk import Absent


class OpenSearchTarget(LtrPluginTarget):
    """OpenSearch, whose plugin has the product's own version."""

    engine: ClassVar[str] = "opensearch"
    exporter: ClassVar[str] = "opensearch_ltr"
    title: ClassVar[str] = "OpenSearch"
    component: ClassVar[str] = "opensearch-ltr"

    def is_product(self, version: Mapping[str, Any]) -> bool:
        """See `LtrPluginTarget`."""
        return version.get("distribution") == "opensearch"

    def require_same_scores(self, where: str, wanted: str, product: str, plugins: Sequence[str]) -> None:
        """See `LtrPluginTarget`: BM25's factor by the product, absent features by the plugin."""
        if has_bm25_factor(wanted) != has_bm25_factor(product):
            raise EngineError(
                f"{where} is of version {product}, the ranker is for {wanted}: BM25 differs by a factor of 2.2 between "
                "them.",
                hint=f"Collect features from that line, train, and export with version: {_line(product)!r}.",
            )
        for found in plugins:
            rules = opensearch_rule(wanted), opensearch_rule(found)
            _require_same_rule(where, (wanted, found), rules, _line(found))

    def scorer_of(self, package: Package) -> OpenSearchLtr:
        """See `base.Target`."""
        return OpenSearchLtr(OpenSearchLtrOptions(version=package.manifest["engine"]["version"]))


class ElasticsearchTarget(LtrPluginTarget):
    """Elasticsearch with the plugin of o19s, which has a version of its own, such as 1.5.10-es8.17.0."""

    engine: ClassVar[str] = "elasticsearch"
    exporter: ClassVar[str] = "elasticsearch_ltr"
    title: ClassVar[str] = "Elasticsearch"
    component: ClassVar[str] = "ltr"

    def is_product(self, version: Mapping[str, Any]) -> bool:
        """See `LtrPluginTarget`."""
        return "number" in version and "distribution" not in version

    def require_same_scores(self, where: str, wanted: str, product: str, plugins: Sequence[str]) -> None:  # noqa: ARG002
        """See `LtrPluginTarget`: every Elasticsearch has BM25's factor."""
        for found in plugins:
            own = found.partition("-")[0]
            rules = elasticsearch_rule(wanted), elasticsearch_rule(own)
            _require_same_rule(where, (wanted, found), rules, own)

    def scorer_of(self, package: Package) -> ElasticsearchLtr:
        """See `base.Target`."""
        return ElasticsearchLtr(ElasticsearchLtrOptions(version=package.manifest["engine"]["version"]))


def _require_same_rule(where: str, versions: tuple[str, str], rules: tuple[Absent, Absent], line: str) -> None:
    (wanted, found), (rule, other) = versions, rules
    if rule != other:
        raise EngineError(
            f"{where} has the plugin at {found}, the ranker is for {wanted}: there {RULES[other]}, but the ranker was "
            f"proved where {RULES[rule]}.",
            hint=f"Export again with version: {line!r}.",
        )


def _line(version: str) -> str:
    return ".".join(version.split(".")[:2])
