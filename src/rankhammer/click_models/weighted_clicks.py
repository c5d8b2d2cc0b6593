"""Clicks that are worth different, such as purchases: which click models have a use for them."""

from __future__ import annotations

from typing import Final

from rankhammer.errors import ConfigError

GAINS: Final = "gains"
"""Column of `schemas.COUNTED_SERPS` that is there where clicks have weights."""
_HINT: Final = (
    "Count weighted clicks in conf/local/parameters/labeling.yml: "
    "`labeling: {click_model: {name: coec}, held_out: {enabled: false}}`. Or take action_weights out of the reader's "
    "options and name the actions in click_actions."
)


def uses_click_weights(model: object) -> bool:
    """Say whether a click model, or its class, counts a click as what it is worth."""
    return bool(getattr(model, "uses_click_weights", False))


def require_weights_used(model: object, name: str | None = None) -> None:
    """Refuse to fit a model to weighted clicks that it would take for equal ones.

    Args:
        model: A click model, or its class.
        name: Under which it was named; None: that of its class.

    Raises:
        ConfigError: It has no use for weights.
    """
    if not uses_click_weights(model):
        found = name or type(model).__name__.lower()
        raise ConfigError(
            "Clicks of this log have weights (action_weights of its reader), and click model "
            f"{found!r} would take them for equal ones.",
            hint=_HINT,
        )


def require_no_measure() -> None:
    """Refuse to measure predictions of clicks on a log whose clicks have weights.

    Raises:
        ConfigError: Always.
    """
    raise ConfigError(
        "labeling.held_out measures how well clicks are predicted; the clicks of this log have weights "
        "(action_weights of its reader), which no click model predicts.",
        hint=_HINT,
    )
