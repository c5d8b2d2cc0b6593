"""Whether several tasks train a run's models together: then its executors have to be there all the time.

Tasks that train one model begin at once or not at all, which Spark refuses where executors come and go. So it is
decided before a session opens, by the sizes that the last hand-off reports.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rankhammer.yarn.settings import ClusterSettings

logger = logging.getLogger(__name__)
_ALWAYS = 0
"""Value of `from_rows` that needs no size to be known."""


def workers_in(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return `training.workers` of a project's parameters; empty where it is not there or not of the right kind.

    Args:
        parameters: Models where Kedro has made them, else as they were written: what is wrong is said elsewhere.
    """
    training = parameters.get("training")
    if isinstance(training, BaseModel):
        training = training.model_dump()
    workers = training.get("workers") if isinstance(training, dict) else None
    return workers if isinstance(workers, dict) else {}


def is_together(workers: Mapping[str, Any], n_rows: int | None) -> bool:
    """Say whether several tasks train each model of a corpus.

    Args:
        workers: Of `workers_in`.
        n_rows: Rows of the corpus; None: not known, which only `from_rows: 0` does without.
    """
    number, from_rows = workers.get("number", 1), workers.get("from_rows", _ALWAYS)
    if number == 1 or not isinstance(from_rows, int):
        return False
    return from_rows == _ALWAYS or (n_rows is not None and n_rows >= from_rows)


def with_fixed_executors(
    settings: ClusterSettings, workers: Mapping[str, Any], n_rows: Iterable[int]
) -> ClusterSettings:
    """Return the settings of a run that trains, without executors that come and go where that cannot be.

    Args:
        settings: Of cluster.yml.
        workers: Of `workers_in`.
        n_rows: Rows of each corpus, as far as they are known.
    """
    moves = settings.resources.dynamic_allocation
    largest = max(n_rows, default=None)
    if not moves.enabled or not is_together(workers, largest):
        return settings
    logger.info(
        "Resources: training.workers lets several tasks train one model together, so executors stay for the whole run"
    )
    fixed = {"dynamic_allocation": moves.model_copy(update={"enabled": False})}
    return settings.model_copy(update={"resources": settings.resources.model_copy(update=fixed)})
