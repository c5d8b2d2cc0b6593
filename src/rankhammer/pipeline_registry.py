"""The pipelines by name: one a stage, and the composites that people run."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kedro.pipeline import Pipeline

STAGES = ("ingestion", "labeling", "features", "folding", "training", "export")
COMPOSITES = {"collect": STAGES[:3], "train": STAGES[3:], "__default__": STAGES}


def register_pipelines() -> dict[str, Pipeline]:
    """Return every pipeline by name: each stage, `collect`, `train` and `__default__` (all six)."""
    stages = {name: import_module(f"rankhammer.pipelines.{name}.pipeline").create_pipeline() for name in STAGES}
    return stages | {name: sum((stages[stage] for stage in parts[1:]), stages[parts[0]]) for name, parts in COMPOSITES.items()}
