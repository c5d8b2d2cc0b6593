"""The line goes one way: a stage reads what earlier ones hand on, and reaches no further back than it declares."""

from __future__ import annotations

import pytest

from rankhammer.pipeline_registry import BRANCHES, STAGES, register_pipelines

FIRST, *LATER = STAGES
READS = {
    "labeling": {"ingestion"},
    "features": {"labeling"},
    "folding": {"features"},
    "training": {"folding"},
    "export": {"training"},
    "judgment_export": {"labeling"},
    "query_report": {"training"},
    "ranker_report": {"folding", "training"},
    "experiment_report": set(),
}
"""Stages whose tables each stage reads; docs/stages/<stage>.md says the same."""
PIPELINES = register_pipelines()


def _tables(names: set[str]) -> set[str]:
    return {name for name in names if not name.startswith("params:")}


def _maker() -> dict[str, str]:
    """Each table of the line to the stage that makes it."""
    return {name: stage for stage in (*STAGES, *BRANCHES) for name in PIPELINES[stage].all_outputs()}


def _read_by(stage: str) -> dict[str, str]:
    maker = _maker()
    return {name: maker[name] for name in _tables(PIPELINES[stage].inputs()) if name in maker}


def test_the_first_stage_reads_nothing_that_a_stage_makes() -> None:
    assert _read_by(FIRST) == {}


@pytest.mark.parametrize("stage", [*LATER, *BRANCHES])
def test_a_stage_reads_what_it_declares_and_of_earlier_stages_alone(stage: str) -> None:
    before = STAGES[: STAGES.index(stage)] if stage in STAGES else STAGES
    read = set(_read_by(stage).values())
    assert read == READS[stage]
    assert read <= set(before)


def test_no_stage_reads_what_a_branch_makes() -> None:
    assert [stage for stage in STAGES if set(_read_by(stage).values()) & set(BRANCHES)] == []


def test_each_table_is_made_by_one_stage() -> None:
    made = [name for stage in (*STAGES, *BRANCHES) for name in PIPELINES[stage].all_outputs()]
    assert len(made) == len(set(made))
