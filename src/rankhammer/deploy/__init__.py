"""Deploying: exported rankers and judgments into search clusters."""

from rankhammer.deploy.deploying import Deployed, deploy, planned
from rankhammer.deploy.judgment_lists import PushedList, planned_push, push_lists
from rankhammer.deploy.options import Cluster, DeployOptions, read_options
from rankhammer.deploy.package import Package, read_package
from rankhammer.deploy.rolling_back import planned_rollback, rollback

__all__ = [
    "Cluster",
    "DeployOptions",
    "Deployed",
    "Package",
    "PushedList",
    "deploy",
    "planned",
    "planned_push",
    "planned_rollback",
    "push_lists",
    "read_options",
    "read_package",
    "rollback",
]
