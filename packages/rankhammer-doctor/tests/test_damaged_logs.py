"""Generated damage: fields of other kinds, lines in another order or gone. A report comes, or an error with a hint."""

from __future__ import annotations

import copy
import json
import random
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pytest
from event_logs import SQL, T0, LogBuilder, failure, lost

from rankhammer_doctor.cli import as_text
from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.event_log import location
from rankhammer_doctor.reports.build import compare_report, log_report

LOGS = Path(__file__).parents[4] / "shared" / "data" / "spark_event_logs"
N_EACH = 12
"""Cases for each kind of event."""
STRANGE = (
    None, -1, 0, 1, 1.5, True, 2**70, -(2**70), "", "x", "12", "\ud800", "a" * 5000, float("nan"), float("inf"),
    [], [None], ["x"], [{}], [[1, 2]], {}, {"a": 1},
)  # fmt: skip


def rich_log() -> LogBuilder:
    """Return a log with each kind of event that is read."""
    log = LogBuilder().started()
    log.add("SparkListenerResourceProfileAdded", **{
        "Resource Profile Id": 0,
        "Executor Resource Requests": {"memory": {"Amount": 1024}, "memoryOverhead": {"Amount": 384}},
        "Task Resource Requests": {"cpus": {"Amount": 1}},
    })  # fmt: skip
    manager = {"Executor ID": "1", "Host": "a", "Port": 1}
    log.add("SparkListenerBlockManagerAdded", **{
        "Block Manager ID": manager, "Maximum Memory": 1 << 28, "Timestamp": T0, "Maximum Onheap Memory": 1 << 28,
    })  # fmt: skip
    metrics = [{"name": "number of output rows", "accumulatorId": 7, "metricType": "sum"}]
    scan = {"nodeName": "Scan parquet", "simpleString": "scan", "children": [], "metrics": metrics}
    join = {"nodeName": "SortMergeJoin", "simpleString": "join", "children": [scan], "metrics": metrics}
    plan = {"executionId": 0, "physicalPlanDescription": "InsertIntoHadoopFsRelationCommand s3a://b/x"}
    log.add(f"{SQL}SparkListenerSQLExecutionStart", **plan, sparkPlanInfo=join, time=T0, description="write")
    own = {"spark.sql.execution.id": "0"}
    log.job(0, [0, 1], description="labeling: judge", parents={1: (0,)}, **own)
    stage = {"Stage ID": 0, "Stage Attempt ID": 0, "Stage Name": "a", "Number of Tasks": 8, "Submission Time": T0}
    log.add("SparkListenerStageSubmitted", **{"Stage Info": stage}, Properties=own)
    log.even_stage(0, gc=3000, spill_disk=1 << 30, peaks={"JVMHeapMemory": 1 << 29})
    log.add(f"{SQL}SparkListenerSQLAdaptiveExecutionUpdate", executionId=0, sparkPlanInfo=join)
    log.add(f"{SQL}SparkListenerDriverAccumUpdates", executionId=0, accumUpdates=[[7, 12]])
    log.task(1, 20_000, 90_000, read=10**9).task(1, 20_000, 21_000, reason=failure("java.lang.OutOfMemoryError"))
    log.task(1, 20_000, 21_000, reason=lost("Container killed by YARN for exceeding physical memory limits"))
    block = {"Block Manager ID": manager, "Block ID": "rdd_3_0", "Storage Level": {}, "Memory Size": 9, "Disk Size": 0}
    log.add("SparkListenerBlockUpdated", **{"Block Updated Info": block})
    log.add("SparkListenerBlockUpdated", **{"Block Updated Info": {**block, "Memory Size": 0}})
    log.add("SparkListenerUnpersistRDD", **{"RDD ID": 3})
    log.add("SparkListenerStageExecutorMetrics", **{"Executor ID": "1", "Executor Metrics": {"JVMHeapMemory": 5}})
    log.stage(1, 20_000, 90_000, accumulables=[{"ID": 7, "Name": "rows", "Value": "12", "Metadata": "sql"}])
    log.removed("1", "Container killed by YARN for exceeding physical memory limits", at=80_000)
    log.job_end(0, 90_000, failure="Job aborted")
    return log.add(f"{SQL}SparkListenerSQLExecutionEnd", executionId=0, time=T0 + 200_000).ended(210_000)


def damaged(event, rng: random.Random):
    """Give one field, at any depth, a value of another kind, or take it away."""
    places = [(holder, key) for holder, key in _fields(event) if key != "Event"]
    holder, key = rng.choice(places)
    if rng.random() < 0.1 and isinstance(holder, dict):
        del holder[key]
    else:
        holder[key] = copy.deepcopy(rng.choice(STRANGE))


def _fields(value):
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _fields(value[key])


def store(events, place: Path) -> Path:
    place.write_text("".join(json.dumps(event) + "\n" for event in events))
    return place


def all_forms(place: Path) -> None:
    """Make a report in each of its forms, of one log and of two; nothing may be raised but an error with a hint."""
    with suppress(DoctorError):
        report = log_report(str(place))
        assert list(report.lines())
        assert report.page()
        assert json.loads(as_text(report.facts))["kind"] == "log"
        list(compare_report((str(place),), f"{place}/", thresholds=None, newest=2).lines())


def names_of(events) -> list[str]:
    return sorted({event["Event"] for event in events})


@pytest.mark.parametrize("name", names_of(rich_log().events))
def test_fields_of_another_kind_are_no_traceback(tmp_path, name):
    whole = rich_log().events
    for number in range(N_EACH):
        rng = random.Random(f"{name} {number}")
        events = copy.deepcopy(whole)
        for event in events:
            if len(event) > 1 and (event["Event"] == name or rng.random() < 0.03):
                damaged(event, rng)
        all_forms(store(events, tmp_path / "log"))


def test_lines_in_another_order_or_gone_are_no_traceback(tmp_path):
    whole = rich_log().events
    for number in range(4 * N_EACH):
        rng = random.Random(number)
        events = [event for event in whole if rng.random() < 0.8]
        if number % 2:
            rng.shuffle(events)
        all_forms(store(events, tmp_path / "log"))


def test_an_event_with_a_figure_that_is_none_counts_as_a_whole_or_not_at_all(log, tmp_path):
    log.job(0, [0]).even_stage(0)
    task = next(event for event in log.events if event["Event"] == "SparkListenerTaskEnd")
    task["Task Metrics"]["JVM GC Time"] = "much"
    run = log.ended().run(tmp_path)
    assert (run.stages[(0, 0)].n_complete, run.report.n_unreadable) == (7, 1)
    assert run.stages[(0, 0)].totals.run_ms == 7 * 10_000


@pytest.mark.real
@pytest.mark.skipif(not LOGS.exists(), reason="the real event logs are not here")
@pytest.mark.parametrize("number", range(24))
def test_real_logs_with_fields_of_another_kind_are_no_traceback(tmp_path, number):
    rng = random.Random(number)
    log = rng.choice(sorted(path for path in LOGS.iterdir() if path.suffix != ".txt"))
    events = [json.loads(line) for line in log.read_text().splitlines()]
    name = rng.choice(names_of(events))
    for event in events:
        if len(event) > 1 and rng.random() < (0.7 if event["Event"] == name else 0.02):
            damaged(event, rng)
    all_forms(store(events, tmp_path / "log"))


@pytest.mark.parametrize(
    "error", [OSError("no route"), pa.ArrowException("Unknown error: no token"), pa.ArrowInvalid("")]
)
def test_a_filesystem_that_refuses_is_an_error_with_a_hint(error):
    # Clients of stores end in errors of many kinds: no credentials, no host, no right.
    with pytest.raises(DoctorError, match="s3://b/log cannot be read"), location.readable("s3://b/log"):
        raise error
