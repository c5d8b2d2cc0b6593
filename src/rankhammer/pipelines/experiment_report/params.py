"""Parameters of the experiment report; conf/base/parameters/experiment_report.yml holds the values."""

from __future__ import annotations

from pydantic import Field

from rankhammer.pipelines.params import StageParams


class ExperimentReportParams(StageParams):
    """What is drawn."""

    n_experiments: int = Field(ge=1, le=20, description="newest experiments that are drawn")
