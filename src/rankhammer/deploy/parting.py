"""Why an engine's score is not the booster's: a feature that has changed, or another rule for absent ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from rankhammer.exporters.missing_values import RULES
from rankhammer.exporters.parity import total_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rankhammer.deploy.package import Package
    from rankhammer.exporters.base import Part, RankerFiles
    from rankhammer.exporters.model_files import Written
    from rankhammer.exporters.walk import Absent

_NAMED = 3
"""Changed features that a message names at most."""


def where_they_part(
    ranker: RankerFiles,
    package: Package,
    logged: NDArray[np.float32],
    now: NDArray[np.float32],
    score: float,
    allowed: float,
) -> str:
    """Say in words what differs for one document.

    Args:
        ranker: The trained ranker.
        package: Its export.
        logged: The document's features in training, shape (n_features,).
        now: Its features in the engine now, shape (n_features,).
        score: What the engine scores, without the constant.
        allowed: Difference that is none.

    Returns:
        Sentences that name the feature, and the tree's node where there are trees.
    """
    changed, written = _changed(ranker, logged, now), package.scorer.written(package.files)
    rule = _rule(written, ranker, now, score, allowed)
    if rule is None and not changed:
        return "Its features are those that training logged, and no rule for absent features explains the score."
    used = rule or written.rule
    absent = f" It scores as where {RULES[used]}." if used != written.rule else ""
    where = ranker.form.first_difference(logged, _parts(written.under(used), ranker, now))
    return f"{changed}{absent} {where}".strip()


def _changed(ranker: RankerFiles, logged: NDArray[np.float32], now: NDArray[np.float32]) -> str:
    same = (logged == now) | (np.isnan(logged) & np.isnan(now))
    apart = np.where(np.isnan(logged - now), np.inf, np.abs(logged - now))
    places = [place for place in np.argsort(-apart, kind="stable").tolist() if not same[place]]
    names = ranker.feature_set.names
    told = [f"{names[place]!r} was {logged[place]:.9g} and is {now[place]:.9g} now" for place in places[:_NAMED]]
    more = f" ({len(places)} features have changed)" if len(places) > _NAMED else ""
    return f"Feature {', '.join(told)}{more}." if told else ""


def _rule(
    written: Written, ranker: RankerFiles, now: NDArray[np.float32], score: float, allowed: float
) -> Absent | None:
    """Find the rule for absent features by which the export's files give the engine's score; its own comes first."""
    for rule in (written.rule, *(other for other in RULES if other != written.rule)):
        total = total_of(ranker.form.base, _parts(written.under(rule), ranker, now))
        if abs(total - score) <= allowed:
            return rule
    return None


def _parts(written: Written, ranker: RankerFiles, row: NDArray[np.float32]) -> list[Part]:
    return written.trace(dict(zip(ranker.feature_set.names, row.tolist(), strict=True)))
