"""The pipelines by name: one per stage, and the composites that people run."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from kedro.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from kedro.pipeline.node import Node

STAGES = ("ingestion", "labeling", "features", "folding", "training", "export")
BRANCHES = ("judgment_export", "query_report", "ranker_report", "experiment_report")
"""Pipelines beside the line: they read a stage's table, and no stage reads what they write."""
ON_DEMAND = frozenset({"ranker_report", "experiment_report"})
"""Branches that run only where they are named: they take long, or are not about the run."""
COMPOSITES = {
    "collect": (*STAGES[:3], "judgment_export"),
    "train": STAGES[3:],
    "__default__": (*STAGES, *(name for name in BRANCHES if name not in ON_DEMAND)),
}


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by name: each stage and branch, `collect`, `train` and `__default__`."""
    stages = {name: _stage(name) for name in (*STAGES, *BRANCHES)}
    composites = {name: Pipeline([stages[part] for part in parts]) for name, parts in COMPOSITES.items()}
    return stages | composites


def every_node() -> Pipeline:
    """Return all nodes of the project, also those that run only where they are named."""
    return Pipeline([_stage(name) for name in (*STAGES, *BRANCHES)])


def trains_only(stages: Collection[str]) -> bool:
    """Say whether a run trains and does nothing before it: then a task may use many cores."""
    return "training" in stages and {*stages} <= {*COMPOSITES["train"]}


def short_name(node: Node) -> str:
    """Return a node's name without its stage: what markers record, and what `--from-nodes` takes, too."""
    return node.name.removeprefix(f"{node.namespace}.") if node.namespace else node.name


def full_names(names: Iterable[str]) -> tuple[str, ...]:
    """Put the stage before names of nodes that lack it, as in `judge` for `labeling.judge`.

    Args:
        names: As typed; one that no node has is returned as it is, for Kedro to refuse.
    """
    full = {short_name(node): node.name for node in every_node().nodes}
    return tuple(full.get(name, name) for name in names)


def _stage(name: str) -> Pipeline:
    """Load a stage's nodes, tag them with its name, and make it their namespace: tables and parameters keep theirs."""
    stage = import_module(f"rankhammer.pipelines.{name}.pipeline").create_pipeline()
    return Pipeline([stage], tags=[name], namespace=name, prefix_datasets_with_namespace=False)
