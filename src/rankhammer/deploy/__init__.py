"""Deploying: an exported ranker into the feature stores of search clusters, tried there before it counts."""

from rankhammer.deploy.deploying import Deployed, deploy, planned
from rankhammer.deploy.options import Cluster, DeployOptions, read_options
from rankhammer.deploy.package import Package, read_package
from rankhammer.deploy.rolling_back import planned_rollback, rollback

__all__ = [
    "Cluster",
    "DeployOptions",
    "Deployed",
    "Package",
    "deploy",
    "planned",
    "planned_rollback",
    "read_options",
    "read_package",
    "rollback",
]
