"""Parameters of the export stage; conf/base/parameters/export.yml holds the values."""

from __future__ import annotations

from pydantic import Field

from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import Choice  # noqa: TC001 - pydantic resolves it at run time


class ExportParams(StageParams):
    """Which engines rankers are written for, and how closely an export is checked."""

    targets: tuple[Choice, ...] = Field(min_length=1, description="exporters (`rankhammer plugins`) with their options")
    tolerance: float = Field(gt=0, le=0.01, description="largest difference between a booster's score and its export's")
    n_vectors: int = Field(ge=1, le=100_000, description="logged vectors to compare at most, evenly spread")
    n_ties: int = Field(ge=0, le=100_000, description="splits to try on and just below their threshold at most")
