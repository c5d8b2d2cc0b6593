"""Metrics of experiments, which the experiments themselves have left."""

from __future__ import annotations

from typing import Any

from rankhammer.datasets.state_dataset import StateDataset
from rankhammer.errors import DataError


class ExperimentMetricsDataset(StateDataset):
    """A JSON object with the metrics of the newest experiments; nodes read it alone.

    Examples:
        YAML:

        >>> # experiment_metrics:
        >>> #   type: rankhammer.datasets.experiment_metrics.ExperimentMetricsDataset
        >>> #   filepath: data/08_reporting/history_experiments.json
    """

    def load(self) -> dict[str, Any]:
        """Return the content.

        Raises:
            DataError: No experiment has logged anything yet.
        """
        if not self._exists():
            hint = "Let an experiment end that logs by `context.metrics.log`: docs/experiments.md."
            raise DataError(f"No experiment has left metrics: {self._path} is not there.", hint=hint)
        return super().load()
