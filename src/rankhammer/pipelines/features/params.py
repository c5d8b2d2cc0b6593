"""Parameters of the features stage; conf/base/parameters/features.yml holds the values."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rankhammer.feature_sources.negatives import NegativeRules
from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import PluginSpec, of_group


class FeaturesParams(StageParams):
    """Where feature values come from."""

    source: Annotated[PluginSpec, of_group("feature_sources")] = Field(
        description="feature_sources plugin and its options"
    )
    max_bad_share: float = Field(
        ge=0, le=1, description="largest share of a corpus's judgments whose document may be missing"
    )
    negatives: NegativeRules = Field(
        default_factory=NegativeRules, description="documents that no result page showed, to learn from, too"
    )
