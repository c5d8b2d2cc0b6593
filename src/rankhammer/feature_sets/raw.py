"""Raw features for one engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError
from rankhammer.feature_sets.model import Raw

if TYPE_CHECKING:
    from rankhammer.feature_sets.model import FeatureSet

_EMBEDDED = "embedded"


def require_raw(feature_set: FeatureSet, engine: str) -> None:
    """Check that an engine can compute every raw feature of a set.

    Args:
        feature_set: What is to be computed.
        engine: "opensearch", "elasticsearch", "solr", or any other that has no queries of its own here.

    Raises:
        ConfigError: A feature has no query for it; feature and engine are named.
    """
    for feature in feature_set.features:
        if isinstance(feature, Raw) and engine not in feature.engines:
            has = ", ".join(feature.engines)
            hint = f"Give the feature a query under `{engine}`, or leave it out."
            if engine == _EMBEDDED:
                hint = f"Collect features from {has} (features.source), or leave the feature out."
            raise ConfigError(
                f"Feature {feature.name!r} is an engine's own query, and has none for {engine}; it has one for {has}.",
                hint=hint,
                feature=feature.name,
                engine=engine,
            )


def for_engine(feature_set: FeatureSet, engine: str) -> FeatureSet:
    """Leave raw features the query of one engine alone.

    Args:
        feature_set: What is to be computed.
        engine: "opensearch", "elasticsearch" or "solr".

    Raises:
        ConfigError: A feature has no query for it.
    """
    require_raw(feature_set, engine)
    others = {other: None for feature in feature_set.features if isinstance(feature, Raw) for other in feature.engines}
    reduced = tuple(
        feature.model_copy(update={other: None for other in others if other != engine})
        if isinstance(feature, Raw)
        else feature
        for feature in feature_set.features
    )
    return feature_set.model_copy(update={"features": reduced})


def own_query(feature: Raw) -> Any:
    """Return the query of a feature that `for_engine` has left one."""
    return getattr(feature, feature.engines[0])
