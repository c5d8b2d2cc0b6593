"""Where a real engine keeps the terms that a text feature searches: in a field of its own for each analyzer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import Field, field_validator

from rankhammer.errors import ConfigError
from rankhammer.feature_sets.model import TextFeature
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from rankhammer.feature_sets.model import Feature, FeatureSet


class TextFields(StrictModel):
    """Options of everything that searches a real engine's text fields."""

    text_field: str = Field(
        "{field}",
        min_length=1,
        description="the engine's field that a text feature searches; {field} and {analyzer} stand for the feature's: "
        "{field}.{analyzer} where the index has one multi-field an analyzer",
    )

    @field_validator("text_field")
    @classmethod
    def _has_known_places(cls, pattern: str) -> str:
        return check_pattern(pattern, "field", "analyzer")

    def locate(self, feature_set: FeatureSet) -> FeatureSet:
        """Return the feature set with the engine's names of the text fields.

        Args:
            feature_set: Names fields as documents have them.

        Raises:
            ConfigError: Two features search one of the engine's fields by two analyzers: an index keeps a field's
                terms of one analyzer only.
        """
        located = tuple(map(self._locate, feature_set.features))
        _require_one_analyzer(located)
        return feature_set.model_copy(update={"features": located})

    def _locate(self, feature: Feature) -> Feature:
        if not isinstance(feature, TextFeature):
            return feature
        name = self.text_field.format(field=feature.field, analyzer=feature.analyzer)
        return feature.model_copy(update={"field": name})


def check_pattern(pattern: str, *places: str) -> str:
    """Return a pattern that holds no braces but those of its places.

    Args:
        pattern: For `str.format`.
        places: Names that may stand in braces.

    Raises:
        ValueError: It holds others, or a single brace.
    """
    try:
        pattern.format(**dict.fromkeys(places, "x"))
    except (KeyError, IndexError, ValueError, AttributeError) as exc:
        known = " and ".join(f"{{{name}}}" for name in places)
        raise ValueError(f"only {known} may stand in braces") from exc
    return pattern


def _require_one_analyzer(features: tuple[Feature, ...]) -> None:
    seen: dict[str, TextFeature] = {}
    for feature in features:
        if not isinstance(feature, TextFeature):
            continue
        first = seen.setdefault(feature.field, feature)
        if first.analyzer != feature.analyzer:
            raise ConfigError(
                f"Features {first.name!r} and {feature.name!r} search the engine's field {feature.field!r} by two "
                "analyzers, but it holds the terms of one.",
                hint="Give the index a field for each analyzer and set text_field, for instance to "
                "'{field}.{analyzer}'.",
                feature=feature.name,
            )
