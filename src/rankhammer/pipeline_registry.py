"""The pipelines by name: one a stage, and the composites that people run."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from kedro.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Collection

STAGES = ("ingestion", "labeling", "features", "folding", "training", "export")
BRANCHES = ("judgment_export",)
"""Pipelines beside the line: they read a stage's table, and no stage reads what they write."""
COMPOSITES = {"collect": (*STAGES[:3], *BRANCHES), "train": STAGES[3:], "__default__": (*STAGES, *BRANCHES)}


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by name: each stage and branch, `collect`, `train` and `__default__` (all of them)."""
    stages = {name: _stage(name) for name in (*STAGES, *BRANCHES)}
    composites = {name: Pipeline([stages[part] for part in parts]) for name, parts in COMPOSITES.items()}
    return stages | composites


def trains_only(stages: Collection[str]) -> bool:
    """Say whether a run trains and does nothing before it: then a task may use many cores."""
    return "training" in stages and {*stages} <= {*COMPOSITES["train"]}


def _stage(name: str) -> Pipeline:
    """Load a stage's nodes and tag them with its name."""
    return Pipeline([import_module(f"rankhammer.pipelines.{name}.pipeline").create_pipeline()], tags=[name])
