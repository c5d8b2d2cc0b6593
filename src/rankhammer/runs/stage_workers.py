"""The process that forks the Python workers of a run: it has imported what the tasks of the stages import.

Spark starts it early in a run (`spark.early_start`), while the first stage's plan is made.
"""

from __future__ import annotations

from rankhammer.spark import worker_daemon

MODULES = (
    "scipy.optimize",
    "rankhammer.click_models.evaluation",
    "rankhammer.evaluation.systems",
    "rankhammer.feature_sources.embedded.index_build",
    "rankhammer.light_xgboost",
    "rankhammer.queries.clusters",
    "rankhammer.rankers.linear",
    "rankhammer.rankers.xgboost",
    "rankhammer.training.worker",
)
"""Imported by tasks of labeling, features and training, whatever their parameters are."""
SETTINGS = {worker_daemon.KEY: __name__}

if __name__ == "__main__":
    worker_daemon.main(MODULES)
