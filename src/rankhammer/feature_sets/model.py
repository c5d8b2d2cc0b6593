"""The feature-set YAML as typed objects: ordered, validated before anything runs, versioned by content."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rankhammer.analyzers import AnalyzerName  # noqa: TC001 - pydantic resolves annotations at run time
from rankhammer.canonical_json import to_text
from rankhammer.digests import hex_digest
from rankhammer.feature_sets.expressions import FUNCTIONS, expression_names
from rankhammer.feature_sets.raw_queries import RAW_ENGINES, query_body, solr_query
from rankhammer.strict_model import StrictModel


def _not_reserved(name: str) -> str:
    """XGBoost names unnamed features f0, f1, ...: a name of that form would be read as a place."""
    if name[0] == "f" and name[1:].isdigit():
        raise ValueError(f"a name must not be f<digits>, which stands for a place: {name!r}")
    if name in FUNCTIONS:
        raise ValueError(f"{name!r} is a function of expressions and cannot name a feature")
    return name


def _readable(expression: str) -> str:
    expression_names(expression)
    return expression


Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100), AfterValidator(_not_reserved)]
FieldName = Annotated[str, Field(min_length=1, max_length=200)]


class _Feature(StrictModel):
    name: Name = Field(description="unique in the set; never f<digits>, which XGBoost keeps for itself")
    absent: Literal["zero", "keep"] = Field("zero", description="value of a feature that does not match: 0.0, or NaN")


class Match(_Feature):
    """BM25 of the query's terms in one text field."""

    type: Literal["match"] = "match"
    field: FieldName = Field(description="text field of the documents")
    analyzer: AnalyzerName = Field("english", description="how text becomes terms")


class Phrase(_Feature):
    """BM25 of the query as one exact phrase in one text field."""

    type: Literal["phrase"] = "phrase"
    field: FieldName = Field(description="text field of the documents")
    analyzer: AnalyzerName = Field("english", description="how text becomes terms")


class MatchedTerms(_Feature):
    """Number of the query's terms that one text field has; a term that stands twice in the query counts twice."""

    type: Literal["matched_terms"] = "matched_terms"
    field: FieldName = Field(description="text field of the documents")
    analyzer: AnalyzerName = Field("english", description="how text becomes terms")


class FieldValue(_Feature):
    """A number that the document carries."""

    type: Literal["field_value"] = "field_value"
    field: FieldName = Field(description="number field of the documents")
    modifier: Literal["none", "log1p", "ln1p", "sqrt"] = Field("none", description="log1p: base 10, as in the engines")
    missing: float = Field(0.0, allow_inf_nan=False, description="value where the document has none")


class QueryLength(_Feature):
    """Number of terms in the query."""

    type: Literal["query_length"] = "query_length"
    analyzer: AnalyzerName = Field("english", description="how text becomes terms")


class Expression(_Feature):
    """Arithmetic over features that stand earlier in the set."""

    type: Literal["expression"] = "expression"
    expression: Annotated[str, AfterValidator(_readable)] = Field(
        max_length=1000, description="+ - * / ( ), numbers, earlier names, and ln, log10, sqrt, abs, min, max"
    )


class Raw(_Feature):
    """An engine's own query, whose score is the feature; one for each engine that is to compute it."""

    type: Literal["raw"] = "raw"
    opensearch: Annotated[dict[str, Any], AfterValidator(query_body)] | None = Field(
        None, description="query of OpenSearch; {{keywords}} in a text stands for the user's query"
    )
    elasticsearch: Annotated[dict[str, Any], AfterValidator(query_body)] | None = Field(
        None, description="query of Elasticsearch; {{keywords}} in a text stands for the user's query"
    )
    solr: Annotated[str, AfterValidator(solr_query)] | None = Field(
        None, description="query of Solr with its parser in front; ${keywords} at its end stands for the user's query"
    )

    @model_validator(mode="after")
    def _has_a_query(self) -> Self:
        if not self.engines:
            raise ValueError(
                f"feature {self.name!r} is raw and has no query: give it opensearch, elasticsearch or solr"
            )
        return self

    @property
    def engines(self) -> tuple[str, ...]:
        """Engines that it has a query for."""
        return tuple(name for name in RAW_ENGINES if getattr(self, name) is not None)


TextFeature = Match | Phrase | MatchedTerms
"""What searches one text field by one analyzer."""

Feature = Annotated[
    Match | Phrase | MatchedTerms | FieldValue | QueryLength | Expression | Raw, Field(discriminator="type")
]


class FeatureSet(StrictModel):
    """An ordered, named list of features.

    Args:
        name: Letters, digits and underscores.
        features: In order; a feature's place is its ordinal, from 1.
    """

    name: Name = Field(description="name of the set")
    features: tuple[Feature, ...] = Field(min_length=1, description="in order")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        seen: set[str] = set()
        for name in self.names:
            if name in seen:
                raise ValueError(f"feature {name!r} is declared twice; names are unique in a set")
            seen.add(name)
        return self

    @model_validator(mode="after")
    def _expressions_look_back(self) -> Self:
        for place, feature in enumerate(self.features):
            if isinstance(feature, Expression):
                _require_earlier(feature, self.names[:place], self.names[place:])
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Feature names, in order."""
        return tuple(feature.name for feature in self.features)

    @property
    def keep_absent(self) -> set[str]:
        """Names of the features that may be absent (`absent: keep`)."""
        return {feature.name for feature in self.features if feature.absent == "keep"}

    @property
    def version(self) -> str:
        """First 12 hex digits of the SHA-256 of the content: same features, same version."""
        return hex_digest(to_text(self.model_dump(mode="json")), 12)


def _require_earlier(feature: Expression, earlier: tuple[str, ...], later: tuple[str, ...]) -> None:
    for name in expression_names(feature.expression):
        if name not in earlier:
            where = "stands later in the set" if name in later else "is not in the set"
            raise ValueError(
                f"feature {feature.name!r}: {name!r} {where}; an expression reads earlier features only: "
                f"{', '.join(earlier) or 'none stands before it'}"
            )
