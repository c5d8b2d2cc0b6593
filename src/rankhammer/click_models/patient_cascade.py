"""What a cascade without patience makes of pages: readings of "no click", and the classic estimate from last clicks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from rankhammer.click_models.em import EmOptions

if TYPE_CHECKING:
    from rankhammer.click_models.suffixes import Suffixes
    from rankhammer.click_models.types import Floats


class PatientOptions(EmOptions):
    """Options of models in which only a click can end the search."""

    no_click: Literal["examined", "ignored"] = Field(
        default="examined",
        description="a page without a click: everything was examined, or nothing is known and the fit leaves it out",
    )
    estimator: Literal["likelihood", "last_click"] = Field(
        default="likelihood",
        description="likelihood: EM, the search may also have ended unseen below the last click; "
        "last_click: closed form, the search ended with the last click",
    )


def examined_by(options: PatientOptions, suffixes: Suffixes, exact: Floats) -> Floats:
    """Return P(E_r = 1 | C) of each tail cell under the chosen estimator and reading.

    Args:
        options: Both choices.
        suffixes: The distinct tails.
        exact: What the exact E-step says.
    """
    silent = suffixes.spread(~suffixes.has_click)
    below = exact if options.estimator == "likelihood" else np.zeros(len(exact))
    return np.where(silent, 1.0 if options.no_click == "examined" else 0.0, below)
