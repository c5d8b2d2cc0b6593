"""A run asks of Spark what its plan needs, and no more."""

from __future__ import annotations

import pytest
from spark_counts import Counts, by_node, read_jobs, total

MOST = {
    # Beside the plan of the first stage (`spark.early_start`).
    "warm-up": Counts(jobs=3, stages=4),
    "ingestion": Counts(jobs=7, stages=15),
    "labeling": Counts(jobs=7, stages=13),
    "features": Counts(jobs=6, stages=12),
    "folding": Counts(jobs=5, stages=13),
    # One job of two stages counts the reference judgments: a run has to stop before faulty grades are used. One trains
    # the best trial of each candidate again, to choose among rankers.
    "training": Counts(jobs=14, stages=20),
    # Which queries, their documents, and the titles: each is small when it comes back, and the next one depends on it.
    "query_report": Counts(jobs=4, stages=7),
}
"""Jobs and stages of each stage of the line on the small demo. To raise one, say why in the code that asks."""
N_CORES = 2
"""Of `conf/test`: as many tasks run at once, and a Python process is kept for the next task."""


@pytest.mark.parametrize("stage", MOST)
def test_a_stage_asks_for_no_more_jobs_than_it_needs(counted_run, stage):
    _, _, found = counted_run
    assert found[stage].jobs <= MOST[stage].jobs
    assert found[stage].stages <= MOST[stage].stages


def test_a_run_starts_no_more_python_processes_than_tasks_run_at_once(counted_run):
    _, _, found = counted_run
    assert 0 < total(found).python_starts <= N_CORES


def test_no_other_stage_asks_anything_of_spark(counted_run):
    _, _, found = counted_run
    assert set(found) == set(MOST)


def test_what_runs_before_spark_knows_a_node_is_the_first_ones():
    def job(number, **properties):
        return {
            "Event": "SparkListenerJobStart",
            "Job ID": number,
            "Stage IDs": [number],
            "Submission Time": number,
        } | {"Properties": properties}

    events = [job(0), job(1, **{"spark.job.description": "ingestion: ingest"})]
    ended = [{"Event": "SparkListenerTaskEnd", "Stage ID": number} for number in (0, 0, 1)]
    assert by_node(read_jobs([*events, *ended])) == {"ingestion: ingest": Counts(jobs=2, tasks=3)}
