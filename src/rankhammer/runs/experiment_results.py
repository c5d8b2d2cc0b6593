"""Metrics of the newest experiments in one file beside the history of runs, where the dashboard finds them."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from rankhammer.canonical_json import to_json
from rankhammer.dashboard.results import EXPERIMENT_METRICS
from rankhammer.experiments import table
from rankhammer.experiments.folder import STORAGE_ERRORS
from rankhammer.experiments.metrics_table import read_metrics
from rankhammer.runs.dashboard_places import result_places
from rankhammer.storage import state_files
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rankhammer.experiments.folder import ExperimentFolder

KEPT = 20
"""Experiments that stay in the file."""
_POINTS = 1000
logger = logging.getLogger(__name__)


def keep_metrics(env: str | None, folder: ExperimentFolder) -> None:
    """Put an experiment's metrics into the file; one without metrics is left out.

    The experiment has ended as it has: what goes wrong here is a line of the log.

    Args:
        env: Kedro environment whose history it stands beside; None for the default one.
        folder: Of the experiment.
    """
    try:
        rows = read_metrics(folder)
        if rows:
            path = result_places(env).places[EXPERIMENT_METRICS]
            _put(path, folder.path.rsplit("/", 1)[-1], {**_facts(folder), "metrics": series(rows)})
    except STORAGE_ERRORS as exc:
        logger.warning("The dashboard has no metrics of %s: %s", folder.path, exc)


def _facts(folder: ExperimentFolder) -> dict[str, Any]:
    found = table.status(folder)
    return {**{key: found[key] for key in ("state", "function", "message")}, "time": time.time()}


def series(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, list[list[float]]]]:
    """Return metric to instance to (step, value), of long series every n-th.

    Args:
        rows: Of `read_metrics`; a value that is no number is left out.
    """
    found: dict[str, dict[str, list[list[float]]]] = {}
    for row in rows:
        if row["value"] is not None:
            found.setdefault(row["metric"], {}).setdefault(row["instance"], []).append([row["step"], row["value"]])
    return {metric: {name: _thinned(points) for name, points in of.items()} for metric, of in found.items()}


def _thinned(points: list[list[float]]) -> list[list[float]]:
    """Keep the last point, and every n-th before it."""
    step = -(-len(points) // _POINTS)
    return points[::-1][::step][::-1]


def _put(path: str, name: str, facts: Mapping[str, Any]) -> None:
    storage = storage_for(path)
    known = (state_files.read(storage, path, instead="it is written again") or {}).get("experiments") or {}
    newest = sorted({**known, name: facts}.items(), key=lambda item: item[1]["time"])[-KEPT:]
    storage.write(path, to_json({"format": 1, "experiments": dict(newest)}, indent=None))
