"""What a run has held out, so that figures of two runs are compared only where they were measured alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.click_models.periods import Holdout

if TYPE_CHECKING:
    from collections.abc import Mapping

HOLDOUT = "holdout"
"""Among the figures of labeling and of training, and a parameter."""
BY_TIME = "time"


def describe_holdout(parameters: Mapping[str, Any]) -> str | None:
    """Say by which rule the test split was cut.

    Args:
        parameters: A run's, as its lineage and its record have them; those of earlier versions, too.

    Returns:
        Two equal texts, the same rule. None where the parameters do not say it, as where an environment brings its
        test split along.
    """
    folding = parameters.get("folding")
    if not isinstance(folding, dict):
        return None
    try:
        by = Holdout.parse(parameters.get(HOLDOUT, "clusters"))
    except ValueError:
        return None
    if by.is_by_time:
        return f"{BY_TIME}, share {by.later_share:g}"
    if folding.get("test_pattern"):
        return f"pattern {folding['test_pattern']!r}"
    return f"clusters, share {folding.get('test_share')}, seed {parameters.get('random_state')}"
