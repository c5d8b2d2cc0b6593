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
from rankhammer.feature_sets.text_fields import TextFields

__all__ = ["Expression", "Feature", "FeatureSet", "FieldValue", "Match", "Phrase", "QueryLength", "TextFields"]
