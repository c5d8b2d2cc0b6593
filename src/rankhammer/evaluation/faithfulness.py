"""Whether reasons are true: what is named first is made the same in two documents, and the ranker is asked again."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from rankhammer.evaluation.contributions import margins
from rankhammer.evaluation.explanations import pairwise_difference

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.evaluation.offline_search import RankedDocument


class Faithfulness(NamedTuple):
    """What came of it.

    Args:
        n_faithful: Pairs whose difference moves as the reason says.
        n_pairs: Pairs with a reason.
    """

    n_faithful: int
    n_pairs: int


def check_reasons(model: Any, documents: Sequence[RankedDocument], names: Sequence[str]) -> Faithfulness:
    """Test the first reason of each document that stands above the next one.

    The lower document is given the upper one's value of the feature that is named first. The reason is faithful if
    the lower one's score then moves the way that the feature's share of the difference says.

    Args:
        model: `TrainedRanker.opened`.
        documents: In the ranker's order, with their values.
        names: The ranker's features, in its order.
    """
    wanted, below, changed = [], [], []
    for upper, lower in pairwise(documents):
        why = pairwise_difference(upper.contributions, lower.contributions)
        feature = next(iter(why))
        if why[feature] and upper.values != lower.values:
            wanted.append(why[feature])
            below.append(_vector(lower.values, names))
            changed.append(_vector({**lower.values, feature: upper.values.get(feature)}, names))
    if not wanted:
        return Faithfulness(0, 0)
    moved = margins(model, np.array(changed, np.float32), names) - margins(model, np.array(below, np.float32), names)
    return Faithfulness(int(np.sum(np.sign(moved) == np.sign(wanted))), len(wanted))


def reason(above: RankedDocument, below: RankedDocument) -> str:
    """Say in one sentence what most of the difference between two documents comes from; nothing where there is none.

    Args:
        above: The upper document.
        below: The next one.
    """
    why = pairwise_difference(above.contributions, below.contributions)
    helping = [name for name, difference in why.items() if difference > 0]
    if not helping or above.score <= below.score:
        return "Equal scores: the ids of the documents decide." if above.score == below.score else ""
    name = helping[0]
    values = (_text(one.values.get(name)) for one in (above, below))
    against = next((other for other, difference in why.items() if difference < 0), None)
    text = f"Mainly because {name} is {' and not '.join(values)} ({why[name]:+.4f})"
    return f"{text}; {against} speaks against it ({why[against]:+.4f})." if against else f"{text}."


def _text(value: float | None) -> str:
    return "absent" if value is None else f"{value:.4g}"


def _vector(values: Mapping[str, float | None], names: Sequence[str]) -> list[float]:
    known = (values.get(name) for name in names)
    return [np.nan if value is None else value for value in known]
