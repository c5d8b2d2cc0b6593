"""What every stage's parameters share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field

from rankhammer import corpora
from rankhammer.click_models.periods import Holdout as _Holdout
from rankhammer.queries import QueryRules
from rankhammer.strict_model import StrictModel


def _with_an_analyzer(language: object) -> object:
    QueryRules.parse(language)
    return language


RandomState = Annotated[int, Field(ge=0, lt=1 << 63, description="seed of every random choice")]
Language = Annotated[Any, AfterValidator(_with_an_analyzer)]
"""Languages of the queries, wherever they come from: they make the query clusters. `QueryRules.parse` reads it."""


def _that_can_be_held_out(holdout: object) -> object:
    _Holdout.parse(holdout)
    return holdout


Holdout = Annotated[Any, AfterValidator(_that_can_be_held_out)]
"""What rankers are measured on. `periods.Holdout.parse` reads it."""
Corpora = Annotated[list[str] | None, BeforeValidator(corpora.named)]
"""Corpora to work on; None: all. A node gets it as it was written: `corpora.named` reads it."""


class StageParams(StrictModel):
    """Frozen parameters of one stage; a name that does not exist stops the run before any node."""

    model_config = ConfigDict(hide_input_in_errors=True)
