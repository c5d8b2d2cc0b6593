"""Deploying: exported rankers and judgments into search clusters."""

from rankhammer.deploy.base import ExportedRanker
from rankhammer.deploy.deploying import Deployed, deploy, planned
from rankhammer.deploy.exported_ranker import read_exported_ranker
from rankhammer.deploy.judgment_lists import PushedList, planned_push, push_lists
from rankhammer.deploy.options import DeployOptions, EngineCluster, read_options
from rankhammer.deploy.rolling_back import planned_rollback, rollback

__all__ = [
    "DeployOptions",
    "Deployed",
    "EngineCluster",
    "ExportedRanker",
    "PushedList",
    "deploy",
    "planned",
    "planned_push",
    "planned_rollback",
    "push_lists",
    "read_exported_ranker",
    "read_options",
    "rollback",
]
