"""Text features as queries of OpenSearch and Elasticsearch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.feature_sets.model import MatchedTerms, Phrase

if TYPE_CHECKING:
    from rankhammer.feature_sets.model import TextFeature

_ONE_EACH = {"fuzziness": 0, "fuzzy_rewrite": "constant_score_boolean"}
"""A fuzzy term without a difference is the term itself; rewritten like this, each that matches scores 1."""


def text_query(feature: TextFeature, keywords: str) -> dict[str, Any]:
    """Write the query whose score is a text feature.

    Args:
        feature: With the engine's name of the field.
        keywords: The user's query, or its place in a template.
    """
    kind = "match_phrase" if isinstance(feature, Phrase) else "match"
    more = _ONE_EACH if isinstance(feature, MatchedTerms) else {}
    return {kind: {feature.field: {"query": keywords, "analyzer": feature.analyzer, **more}}}
