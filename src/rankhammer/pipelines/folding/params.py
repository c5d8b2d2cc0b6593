"""Parameters of the folding stage; conf/base/parameters/folding.yml holds the values."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from rankhammer.pipelines.params import StageParams


class FoldingParams(StageParams):
    """How rows are divided into a test split and cross-validation folds."""

    n_folds: int = Field(ge=2, le=50, description="cross-validation folds of the train split, equal in rows")
    test_share: float = Field(gt=0, le=0.5, description="share of a corpus's rows held out for the evaluation")
    test_pattern: str | None = Field(
        description="regular expression: clusters with a matching query are the test split, instead of test_share"
    )

    @field_validator("test_pattern")
    @classmethod
    def _is_a_regular_expression(cls, pattern: str | None) -> str | None:
        """Spark would refuse a broken pattern only when the rows are read."""
        try:
            re.compile(pattern or "")
        except re.error as exc:
            raise ValueError(f"not a regular expression: {exc}") from exc
        if pattern == "":
            raise ValueError("an empty pattern matches every query; use null for none")
        return pattern
