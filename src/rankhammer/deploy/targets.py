"""The kinds of engines that rankers can be deployed to, and which version of the LTR plugin scores as which."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from rankhammer.deploy.ltr_plugin import LtrPluginTarget
from rankhammer.deploy.solr import SolrTarget
from rankhammer.errors import ConfigError, EngineError, did_you_mean
from rankhammer.exporters.ir.with_missing_rule import RULES, elasticsearch_rule, opensearch_rule
from rankhammer.exporters.targets.elasticsearch_ltr import ElasticsearchLtr, ElasticsearchLtrOptions
from rankhammer.exporters.targets.opensearch_ltr import OpenSearchLtr, OpenSearchLtrOptions, has_bm25_factor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rankhammer.deploy.base import EngineTarget, ExportedRanker
    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.search_engines.shapes import Version


class OpenSearchTarget(LtrPluginTarget):
    """OpenSearch, whose plugin has the product's own version."""

    engine: ClassVar[str] = "opensearch"
    exporter: ClassVar[str] = "opensearch_ltr"
    title: ClassVar[str] = "OpenSearch"
    component: ClassVar[str] = "opensearch-ltr"

    def is_product(self, version: Version) -> bool:
        """See `LtrPluginTarget`."""
        return version.distribution == "opensearch"

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

    def scorer_of(self, exported: ExportedRanker) -> OpenSearchLtr:
        """See `base.EngineTarget`."""
        return OpenSearchLtr(OpenSearchLtrOptions(version=exported.manifest["engine"]["version"]))


class ElasticsearchTarget(LtrPluginTarget):
    """Elasticsearch with the plugin of o19s, which has a version of its own, such as 1.5.10-es8.17.0."""

    engine: ClassVar[str] = "elasticsearch"
    exporter: ClassVar[str] = "elasticsearch_ltr"
    title: ClassVar[str] = "Elasticsearch"
    component: ClassVar[str] = "ltr"

    def is_product(self, version: Version) -> bool:
        """See `LtrPluginTarget`."""
        return version.distribution is None

    def require_same_scores(self, where: str, wanted: str, product: str, plugins: Sequence[str]) -> None:  # noqa: ARG002
        """See `LtrPluginTarget`: every Elasticsearch has BM25's factor."""
        for found in plugins:
            own = found.partition("-")[0]
            rules = elasticsearch_rule(wanted), elasticsearch_rule(own)
            _require_same_rule(where, (wanted, found), rules, own)

    def scorer_of(self, exported: ExportedRanker) -> ElasticsearchLtr:
        """See `base.EngineTarget`."""
        return ElasticsearchLtr(ElasticsearchLtrOptions(version=exported.manifest["engine"]["version"]))


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


TARGETS: dict[str, EngineTarget] = {
    kind.engine: kind for kind in (OpenSearchTarget(), ElasticsearchTarget(), SolrTarget())
}


def target_named(engine: str) -> EngineTarget:
    """Return a kind of engine by its name.

    Raises:
        ConfigError: There is none of that name.
    """
    if engine not in TARGETS:
        raise ConfigError(f"Rankers cannot be deployed to engine {engine!r}.", hint=did_you_mean(engine, TARGETS))
    return TARGETS[engine]


def target_for(export: str) -> EngineTarget | None:
    """Return the kind of engine that takes an export.

    Args:
        export: The exporter's target, such as `opensearch_ltr-3.6`.

    Returns:
        None where no engine takes it from here.
    """
    return next((kind for kind in TARGETS.values() if export.partition("-")[0] == kind.exporter), None)
