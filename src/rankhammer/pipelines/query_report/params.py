"""Parameters of the query report; conf/base/parameters/query_report.yml holds the values."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from rankhammer.evaluation.compared_queries import Choice
from rankhammer.pipelines.params import StageParams


class QueryReportParams(StageParams):
    """Which test queries are shown, and how much of each."""

    n_worst: int = Field(ge=0, le=1000, description="queries of a corpus with the largest loss")
    n_best: int = Field(ge=0, le=1000, description="queries of a corpus with the largest gain")
    top: int = Field(ge=1, le=100, description="first documents of each order")
    against: Literal["logged", "baseline"] = Field(description="order to compare with; the other where it is not there")
    title_field: str = Field(min_length=1, description="field of the documents that names one for a person")

    def choice(self) -> Choice:
        """Return the same for the comparison."""
        return Choice(self.n_worst, self.n_best, self.top, self.against, self.title_field)
