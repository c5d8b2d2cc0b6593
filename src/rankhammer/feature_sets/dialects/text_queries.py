"""Text features as queries of OpenSearch and Elasticsearch."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError
from rankhammer.feature_sets.model import MatchedTerms, Phrase

if TYPE_CHECKING:
    from rankhammer.feature_sets.model import FieldValue, TextFeature

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


_MEANING = re.compile(r"\{\{|\}\}|[*^\x00-\x1f\x7f]")


def require_plain_field(feature: TextFeature | FieldValue) -> None:
    """Check that a field's name stands for itself, in a query as in a Mustache template.

    Quotes and backslashes are no matter: queries and templates are JSON, which escapes them.

    Args:
        feature: With the engine's name of the field.

    Raises:
        ConfigError: The name would be read as a parameter, a pattern or a weight.
    """
    found = _MEANING.search(feature.field)
    if found:
        raise ConfigError(
            f"Feature {feature.name!r}: {found[0]!r} in field {feature.field!r} has a meaning in a query: a parameter, "
            "a pattern or a weight.",
            hint="Use a field whose name has none of {{ }} * ^ and control characters, or an alias field of the index.",
            feature=feature.name,
        )
