"""The kinds of engines that rankers can be deployed to, by the name that deploy.yml has for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.deploy.ltr_products import ElasticsearchTarget, OpenSearchTarget
from rankhammer.deploy.solr import SolrTarget
from rankhammer.errors import ConfigError, did_you_mean

if TYPE_CHECKING:
    from rankhammer.deploy.base import Target

TARGETS: dict[str, Target] = {kind.engine: kind for kind in (OpenSearchTarget(), ElasticsearchTarget(), SolrTarget())}


def target_named(engine: str) -> Target:
    """Return a kind of engine by its name.

    Raises:
        ConfigError: There is none of that name.
    """
    if engine not in TARGETS:
        raise ConfigError(f"Rankers cannot be deployed to engine {engine!r}.", hint=did_you_mean(engine, TARGETS))
    return TARGETS[engine]


def target_for(export: str) -> Target | None:
    """Return the kind of engine that takes an export.

    Args:
        export: The exporter's target, such as `opensearch_ltr-3.6`.

    Returns:
        None where no engine takes it from here.
    """
    return next((kind for kind in TARGETS.values() if export.partition("-")[0] == kind.exporter), None)
