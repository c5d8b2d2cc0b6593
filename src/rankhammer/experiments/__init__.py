"""Experiments: a function that runs in several roles at once, on YARN or as processes of this machine."""

from rankhammer.experiments.context import CheckpointStore, MetricsWriter, TaskContext
from rankhammer.experiments.roles import Experiment, Role

__all__ = ["CheckpointStore", "Experiment", "MetricsWriter", "Role", "TaskContext"]
