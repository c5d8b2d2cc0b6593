"""Feature sets: what a ranker sees of a (query, document) pair, declared once for every engine."""

from rankhammer.feature_sets.model import (
    Expression,
    Feature,
    FeatureSet,
    FieldValue,
    Match,
    MatchedTerms,
    Phrase,
    QueryLength,
    Raw,
    TextFeature,
)
from rankhammer.feature_sets.raw import for_engine, own_query, require_raw
from rankhammer.feature_sets.text_fields import TextFields

__all__ = [
    "Expression",
    "Feature",
    "FeatureSet",
    "FieldValue",
    "Match",
    "MatchedTerms",
    "Phrase",
    "QueryLength",
    "Raw",
    "TextFeature",
    "TextFields",
    "for_engine",
    "own_query",
    "require_raw",
]
