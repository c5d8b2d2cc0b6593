"""What every stage's parameters share."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from rankhammer import corpora
from rankhammer.queries import require_language


def _with_a_stemmer(language: str) -> str:
    require_language(language)
    return language


RandomState = Annotated[int, Field(ge=0, lt=1 << 63, description="seed of every random choice")]
Language = Annotated[str, AfterValidator(_with_a_stemmer)]
"""Language of the queries, wherever they come from: it makes the query clusters."""
Corpora = Annotated[list[str] | None, BeforeValidator(corpora.named)]
"""Corpora to work on; None: all. A node gets it as it was written: `corpora.named` reads it."""


class StageParams(BaseModel):
    """Frozen parameters of one stage; a name that does not exist stops the run before any node."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
