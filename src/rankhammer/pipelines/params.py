"""What every stage's parameters share."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class StageParams(BaseModel):
    """Frozen parameters of one stage; a name that does not exist stops the run before any node."""

    model_config = ConfigDict(frozen=True, extra="forbid")
