"""What the doctor reads of a log equals what the History Server says of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest
import watchdog

from rankhammer_doctor.event_log import read_run

from .conftest import HERE, REAL_LOGS, history_server, run_case, the_log

pytestmark = pytest.mark.doctor_cases
CODECS = {
    "plain": {"spark.eventLog.compress": "false", "spark.eventLog.rolling.enabled": "false"},
    "lz4": {"spark.eventLog.compress": "true", "spark.eventLog.compression.codec": "lz4"},
    "snappy": {"spark.eventLog.compress": "true", "spark.eventLog.compression.codec": "snappy"},
    "zstd": {"spark.eventLog.compress": "true", "spark.eventLog.compression.codec": "zstd"},
}
STAGE_SUMS = {
    "executorRunTime": "run_ms",
    "executorCpuTime": "cpu_ns",
    "executorDeserializeTime": "deserialize_ms",
    "jvmGcTime": "gc_ms",
    "resultSize": "result_bytes",
    "resultSerializationTime": "serialize_ms",
    "memoryBytesSpilled": "memory_spilled",
    "diskBytesSpilled": "disk_spilled",
    "inputBytes": "input_bytes",
    "inputRecords": "input_rows",
    "outputBytes": "output_bytes",
    "outputRecords": "output_rows",
    "shuffleReadBytes": "shuffle_read_bytes",
    "shuffleReadRecords": "shuffle_read_rows",
    "shuffleWriteBytes": "shuffle_write_bytes",
    "shuffleWriteRecords": "shuffle_write_rows",
    "peakExecutionMemory": "peak_execution_memory",
}


@pytest.fixture(scope="module")
def places(folder):
    """Application to the place of its log: real ones, where they are, and our own in each compression."""
    logs = folder / "logs"
    logs.mkdir()
    found = {}
    for name in sorted(path.name for path in REAL_LOGS.glob("*") if path.suffix != ".txt"):
        # Named by its id: what stands behind a dot is a codec for the History Server.
        application = read_run(str(REAL_LOGS / name)).app_id
        found[application] = Path(shutil.copy(REAL_LOGS / name, logs / application))
    for codec, keys in CODECS.items():
        log = the_log(run_case("everything", folder / codec, **{key.replace(".", "__"): keys[key] for key in keys}))
        shutil.move(log, logs / log.name)
        found[read_run(str(logs / log.name)).app_id] = logs / log.name
    return found


@pytest.fixture(scope="module")
def server(places, folder):
    with history_server(folder / "logs", len(places)) as found:
        yield found


def _ms(text):
    return (
        None
        if not text
        else int(datetime.strptime(text.replace("GMT", "+0000"), "%Y-%m-%dT%H:%M:%S.%f%z").timestamp() * 1000 + 0.5)
    )


def _stage(one):
    sums = {name: one[key] for key, name in STAGE_SUMS.items() if key in one}
    counts = [
        one[key] for key in ("numTasks", "numCompleteTasks", "numFailedTasks", "numKilledTasks", "numCompletedIndices")
    ]
    times = [_ms(one.get(key)) for key in ("submissionTime", "firstTaskLaunchedTime", "completionTime")]
    return one["status"], one["name"], counts, times, sums


def _own_stage(one):
    sums = {name: getattr(one.totals, name) for name in STAGE_SUMS.values()}
    counts = [one.n_tasks, one.n_complete, one.n_failed, one.n_killed, one.n_indices]
    times = [one.submitted_ms if one.was_submitted else None, one.first_launch_ms, one.completed_ms]
    return one.status, one.name, counts, times, sums


def _executor(one):
    counts = [one[key] for key in ("totalCores", "completedTasks", "failedTasks", "totalInputBytes")]
    shuffled = [one["totalShuffleRead"], one["totalShuffleWrite"]]
    # Of the driver the History Server says how long it lived, and all garbage collection of its JVM.
    times = [] if one["id"] == "driver" else [one["totalDuration"], one["totalGCTime"]]
    return counts, shuffled, times


def _own_executor(one):
    totals = one.totals
    times = [] if one.executor_id == "driver" else [one.duration_ms, totals.gc_ms]
    counts = [one.cores, one.n_complete, one.n_failed, totals.input_bytes]
    return counts, [totals.shuffle_read_bytes, totals.shuffle_write_bytes], times


def test_a_log_says_the_same_recompressed_by_spark_itself(folder):
    logs = sorted(path for path in REAL_LOGS.glob("*") if path.suffix != ".txt")
    if not logs:
        pytest.skip("the real event logs are not here")
    target = folder / "recompressed"
    target.mkdir()
    command = [sys.executable, str(HERE / "recompress.py"), str(target), *map(str, logs)]
    subprocess.run(command, env={**os.environ, **watchdog.inherited()}, check=True, timeout=300)
    for log in logs:
        plain = read_run(str(log))
        for codec in ("lz4", "snappy", "zstd"):
            packed = read_run(str(target / f"{log.name}.{codec}"))
            assert packed.stages == plain.stages
            assert (packed.executors, packed.jobs, packed.conf) == (plain.executors, plain.jobs, plain.conf)
            assert (packed.report.n_bytes, packed.report.missing) == (plain.report.n_bytes, plain.report.missing)


def test_applications_are_there(places, server):
    assert set(server.places()) == set(places)


def test_stages_are_the_history_server_s(places, server):
    for application, path in server.places().items():
        theirs = {(one["stageId"], one["attemptId"]): _stage(one) for one in server.get(f"{path}/stages")}
        ours = {key: _own_stage(stage) for key, stage in read_run(str(places[application])).stages.items()}
        assert ours == theirs, application


def test_executors_are_the_history_server_s(places, server):
    for application, path in server.places().items():
        theirs = {one["id"]: _executor(one) for one in server.get(f"{path}/allexecutors")}
        ours = {name: _own_executor(one) for name, one in read_run(str(places[application])).executors.items()}
        assert ours == theirs, application


def test_jobs_are_the_history_server_s(places, server):
    statuses = {True: "SUCCEEDED", False: "FAILED", None: "RUNNING"}
    for application, path in server.places().items():
        theirs = {one["jobId"]: (one["status"], sorted(one["stageIds"])) for one in server.get(f"{path}/jobs")}
        run = read_run(str(places[application]))
        ours = {one.job_id: (statuses[one.succeeded], sorted(one.stage_ids)) for one in run.jobs.values()}
        assert ours == theirs, application


def test_queries_and_the_rows_of_their_operators_are_the_history_server_s(places, server):
    seen = 0
    for application, path in server.places().items():
        run = read_run(str(places[application]))
        theirs = server.get(f"{path}/sql?details=true&length=1000")
        assert {one["id"] for one in theirs} == set(run.executions), application
        for one in theirs:
            execution = run.executions[one["id"]]
            assert execution.duration_ms == one["duration"]
            rows = sorted(
                int(metric["value"].replace(",", ""))
                for node in one["nodes"]
                for metric in node["metrics"]
                if metric["name"] == "number of output rows"
            )
            found = (execution.metric(operator, "number of output rows") for operator in execution.plan)
            assert sorted(value for value in found if value is not None) == rows, (application, one["id"])
            seen += len(rows)
    assert seen > 10
