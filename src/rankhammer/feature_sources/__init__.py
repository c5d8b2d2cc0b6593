"""Feature sources: search engines, embedded or real, that compute a feature set for (query, document) pairs."""

from rankhammer.feature_sources.collection import Collected, collect_features

__all__ = ["Collected", "collect_features"]
