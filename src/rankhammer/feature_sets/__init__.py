"""Feature sets: what a ranker sees of a (query, document) pair, declared once for every engine."""

from rankhammer.feature_sets.model import (
    Expression,
    Feature,
    FeatureSet,
    FieldValue,
    Match,
    Phrase,
    QueryLength,
)

__all__ = ["Expression", "Feature", "FeatureSet", "FieldValue", "Match", "Phrase", "QueryLength"]
