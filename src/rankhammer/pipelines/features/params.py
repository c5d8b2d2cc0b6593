"""Parameters of the features stage; conf/base/parameters/features.yml holds the values."""

from __future__ import annotations

from pydantic import Field, field_validator

from rankhammer import plugins
from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import Choice  # noqa: TC001 - pydantic resolves annotations at run time


class FeaturesParams(StageParams):
    """Where feature values come from."""

    source: Choice = Field(description="feature_sources plugin and its options")
    max_bad_share: float = Field(
        ge=0, le=1, description="largest share of a corpus's judgments whose document may be missing"
    )

    @field_validator("source")
    @classmethod
    def _can_be_made(cls, source: Choice) -> Choice:
        """A mistyped source or option must stop the run before any node."""
        plugins.create("feature_sources", source)
        return source
