"""Parameters of the ingestion stage; conf/base/parameters/ingestion.yml holds the values."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import Choice, of_group


class IngestionParams(StageParams):
    """How a raw click log becomes result pages."""

    reader: Annotated[Choice, of_group("click_logs")] = Field(
        description="click_logs plugin that understands the log, and its options"
    )
    max_bad_share: float = Field(ge=0, le=1, description="largest share of faulty result pages in a corpus")
    max_serps_per_day: int = Field(ge=1, description="a session with more pages in a UTC day is a robot's")
