"""Each dynamic rule speaks where its symptom is, and is silent beside it."""

from __future__ import annotations

import gzip
import re

import pytest
from event_logs import CONF, SQL, T0, LogBuilder, failure, lost, zstd

from rankhammer_doctor.dynamic_rules.check import check_run
from rankhammer_doctor.dynamic_rules.skew import DATA, GC, OTHER, SLOW_NODE, WARM_UP, straggler_of
from rankhammer_doctor.symptoms import HINTS, SENTENCES
from rankhammer_doctor.text_logs import read_text_logs
from rankhammer_doctor.thresholds import defaults

MB = 1 << 20
KILL = (
    "Container killed by YARN for exceeding {}memory limits. {} of {} physical memory used. "
    "Consider boosting spark.executor.memoryOverhead."
)
OLD_KILL = KILL.format("", "1.5 GB", "1.4 GB")
NEW_KILL = KILL.format("physical ", "1.5 GB", "1.4 GB")


def find(findings, rule):
    (found,) = [finding for finding in findings if finding.rule == rule]
    return found


def facts(findings, rule):
    return dict(find(findings, rule).facts)


@pytest.fixture
def healthy(log):
    return log.job(0, [0]).even_stage(0).job_end(0, 20_000)


def test_a_healthy_run_has_nothing(healthy, tmp_path):
    assert healthy.ended(25_000).findings(tmp_path) == []


BENIGN = [
    "Container container_1 exited from explicit termination request.",
    "Executor killed by driver.",
    "Container marked as failed: container_1 on host: h. Exit status: 0. Diagnostics: ",
    "Executor 1 was idle for 60 seconds",
    "Executor decommission: spark scale down",
    "Command exited with code 0",
]


@pytest.mark.parametrize("reason", BENIGN)
def test_executors_that_are_no_longer_needed_are_never_reported(healthy, tmp_path, reason):
    assert healthy.removed("1", reason, at=21_000).ended().rules(tmp_path) == {}


def test_speculative_copies_and_the_shutdown_are_never_reported(healthy, tmp_path):
    killed = {"Reason": "TaskKilled", "Kill Reason": "another attempt succeeded"}
    healthy.job(1, [1]).task(1, 20_000, 21_000, index=0, reason=killed).even_stage(1, begin=20_000).job_end(1, 40_000)
    healthy.removed("1", "Remote RPC client disassociated. Likely due to containers exceeding thresholds", at=40_500)
    assert healthy.ended(41_000).rules(tmp_path) == {}


@pytest.mark.parametrize("reason", [OLD_KILL, NEW_KILL])
@pytest.mark.parametrize(
    ("peaks", "kind", "key"),
    [
        ({"JVMHeapMemory": 1000 * MB}, "heap", "spark.executor.memory"),
        ({"JVMHeapMemory": 300 * MB}, "native", "spark.executor.memoryOverhead"),
        ({"JVMHeapMemory": 300 * MB, "ProcessTreeJVMRSSMemory": 1450 * MB}, "native", "spark.executor.memoryOverhead"),
        ({"ProcessTreePythonRSSMemory": 900 * MB}, "Python", "spark.executor.memoryOverhead"),
        ({}, "native", "spark.executor.memoryOverhead"),
    ],
)
def test_a_memory_kill_says_which_memory_and_which_key(log, tmp_path, reason, peaks, kind, key):
    log.job(0, [0]).task(0, 0, 900, reason=lost(f"Executor 1: {reason}"), peaks=peaks).even_stage(0)
    findings = log.job_end(0, 30_000).removed("1", reason, at=900).ended(31_000).findings(tmp_path)
    found = find(findings, "D1")
    assert (dict(found.facts)["memory"], found.severity.label) == (kind, "error")
    assert found.changes[0].key == key
    assert int(found.changes[0].value.removesuffix("m")) > 384
    # What follows from the kill is no finding of its own.
    assert {finding.rule for finding in findings} <= {"D1", "D9"}


def test_virtual_memory_is_told_from_physical_memory(log, tmp_path):
    reason = "Container killed by YARN for exceeding virtual memory limits. 3.1 GB of 2.1 GB virtual memory used."
    log.job(0, [0]).even_stage(0).removed("1", reason, at=900).job_end(0, 30_000)
    found = log.ended(31_000).rules(tmp_path)
    assert found == {"D2": "error"}


TEXTS = {
    "D3": "Total size of serialized results of 12 tasks (1026.0 KiB) is bigger than spark.driver.maxResultSize",
    "D7": "java.lang.OutOfMemoryError: Java heap space",
    "D11": "[SPARK-24942]: Barrier execution mode does not support dynamic resource allocation for now.",
    "D13": "org.apache.spark.SparkException: Python worker exited unexpectedly (crashed)",
    "D15": "Could not execute broadcast in 300 secs. You can increase the timeout",
    "D16": "org.apache.hadoop.hdfs.BlockMissingException: Could not obtain block: BP-1 file=/a",
    "D25": "java.io.IOException: No space left on device",
}


@pytest.mark.parametrize("rule", TEXTS)
def test_a_job_that_ends_with_a_known_sentence_has_one_error(log, tmp_path, rule):
    log.job(0, [0])
    for attempt in range(4):
        log.task(0, attempt, attempt + 500, index=0, reason=failure(TEXTS[rule]))
    aborted = f"Job aborted due to stage failure: Task 0 in stage 0.0 failed 4 times: {TEXTS[rule]}"
    log.stage(0, 0, 3000, failure=aborted).job_end(0, 3000, failure=aborted)
    assert log.ended(4000).rules(tmp_path) == {rule: "error"}


def test_a_job_that_fails_for_a_reason_of_its_own_says_it(log, tmp_path):
    log.job(0, [0]).task(0, 0, 10, reason=failure("ValueError: bad row"))
    log.stage(0, 0, 10, failure="x").job_end(0, 10, failure="Job aborted: ValueError: bad row\nat line")
    found = find(log.ended().findings(tmp_path), "D21")
    assert found.severity.label == "error"
    assert "ValueError: bad row" in found.evidence[0]


def test_a_heap_that_is_full_in_the_driver_is_told_from_that_of_an_executor(log, tmp_path):
    error = "java.lang.OutOfMemoryError: GC overhead limit exceeded"
    log.add(f"{SQL}SparkListenerSQLExecutionStart", executionId=0, description="collect", time=T0)
    log.add(f"{SQL}SparkListenerSQLExecutionEnd", executionId=0, time=T0 + 50, errorMessage=error)
    assert facts(log.ended().findings(tmp_path), "D7")["who"] == "driver"


@pytest.mark.parametrize(
    ("text", "key"), [("Direct buffer memory", "memoryOverhead"), ("Java heap space", "executor.memory")]
)
def test_out_of_memory_outside_of_the_heap_raises_the_overhead(log, tmp_path, text, key):
    log.job(0, [0]).task(0, 0, 10, reason=failure(f"java.lang.OutOfMemoryError: {text}"))
    found = find(log.even_stage(0).job_end(0, 20_000).ended().findings(tmp_path), "D7")
    assert key in found.changes[0].key


def _straggler(log, tmp_path, **slow):
    """Seven tasks of 2 s, then one of 40 s, on executors that have worked before."""
    log.job(9, [9]).even_stage(9, n=8, ms=100).job_end(9, 400)
    log.job(0, [0], tasks=8)
    for place in range(7):
        where = {"executor": "1", "host": "a"} if place % 2 else {"executor": "2", "host": "b"}
        log.task(0, 1000 + 2000 * place, 3000 + 2000 * place, index=place, read=MB, rows=1000, rows_out=100, **where)
    given = {"read": MB, "rows": 1000, "rows_out": 100, "executor": "1", "host": "a", **slow}
    log.task(0, 20_000, 60_000, index=7, **given).stage(0, 1000, 60_000, tasks=8).job_end(0, 60_000)
    run = log.ended(61_000).run(tmp_path)
    return run, straggler_of(run, run.stages[(0, 0)], defaults()["D5"])


@pytest.mark.parametrize(
    ("slow", "cause"),
    [
        ({"read": 20 * MB}, DATA),
        ({"rows": 20_000}, DATA),
        ({"rows_out": 9000}, DATA),
        ({"gc": 30_000}, GC),
        ({"deserialize": 38_000}, "deserialization"),
        ({}, OTHER),
        ({"executor": "3", "host": "c", "reason": None}, OTHER),
    ],
)
def test_a_slow_task_has_a_cause_and_only_data_is_a_warning(log, tmp_path, slow, cause):
    run, found = _straggler(log, tmp_path, **slow)
    assert (found.cause, found.time_ratio) == (cause, 20)
    finding = find(check_run(run, defaults()), "D5")
    assert finding.severity.label == ("warning" if cause == DATA else "info")
    assert dict(finding.facts)["cause"] == cause


def test_the_first_task_of_a_new_executor_is_warm_up(log, tmp_path):
    log.job(0, [0], tasks=8).task(0, 0, 17_000, index=0, read=MB, rows=1000)
    for place in range(1, 8):
        log.task(0, 17_000 + place * 1000, 18_000 + place * 1000, index=place, read=MB, rows=1000)
    run = log.stage(0, 0, 25_000, tasks=8).job_end(0, 25_000).ended(26_000).run(tmp_path)
    found = straggler_of(run, run.stages[(0, 0)], defaults()["D5"])
    assert (found.cause, found.time_ratio, found.data_ratio) == (WARM_UP, 17, 1)
    assert all(one.severity.label == "info" for one in check_run(run, defaults()))


def test_a_slow_node_is_told_by_its_other_tasks(log, tmp_path):
    log.job(9, [9]).even_stage(9, n=8, ms=100).job_end(9, 400).job(0, [0], tasks=12)
    for place in range(8):
        log.task(0, 1000, 3000, index=place, read=MB, rows=10)
    for place, seconds in enumerate((9, 9, 9, 40)):
        log.task(0, 1000, 1000 + 1000 * seconds, index=8 + place, read=MB, rows=10, executor="2", host="b")
    run = log.stage(0, 1000, 41_000, tasks=12).job_end(0, 41_000).ended(42_000).run(tmp_path)
    assert straggler_of(run, run.stages[(0, 0)], defaults()["D5"]).cause == SLOW_NODE


def test_skew_of_less_than_the_floor_of_seconds_is_silent(log, tmp_path):
    log.job(0, [0], tasks=8)
    for place in range(7):
        log.task(0, 0, 10, index=place, read=10, rows=10)
    log.task(0, 10, 2000, index=7, read=100_000, rows=100_000).stage(0, 0, 2000, tasks=8).job_end(0, 2000)
    assert log.ended(2500).rules(tmp_path) == {}


def test_retries_are_a_warning_only_when_they_are_many(log, tmp_path):
    log.job(0, [0], tasks=100).task(0, 0, 10, reason=failure("x"))
    assert log.even_stage(0, n=100).job_end(0, 1).ended().rules(tmp_path) == {"D9": "info"}
    for _ in range(10):
        log.task(0, 0, 10, reason=failure("x"))
    assert log.rules(tmp_path) == {"D9": "warning"}


@pytest.mark.parametrize(("gc", "severity"), [(500, {}), (1500, {"D17": "warning"}), (4000, {"D17": "error"})])
def test_garbage_collection_is_measured_against_the_task_time(log, tmp_path, gc, severity):
    assert log.job(0, [0]).even_stage(0, n=16, gc=gc).job_end(0, 40_000).ended(41_000).rules(tmp_path) == severity


def test_little_garbage_collection_is_silent_however_large_its_share(log, tmp_path):
    assert log.job(0, [0]).even_stage(0, ms=100, gc=90).job_end(0, 400).ended(500).rules(tmp_path) == {}


def test_a_spill_says_how_many_partitions_are_needed(log, tmp_path):
    figures = {"read": 0, "shuffled": 100 * MB, "spill_memory": 1024 * MB, "spill_disk": 200 * MB}
    log.job(0, [0]).even_stage(0, n=8, **figures).job_end(0, 20_000)
    found = find(log.ended(21_000).findings(tmp_path), "D17")
    assert found.changes[0].value == str(8 * 1024 // 128)


def test_the_same_work_again_and_again_is_to_be_persisted(log, tmp_path):
    rdd = {"RDD ID": 1, "Name": "Scan", "Callsite": "read", "Storage Level": {}}
    for place in range(4):
        begin = place * 20_000
        log.job(place, [place], at=begin, rdds=[rdd], tasks=8).even_stage(place, begin=begin).job_end(
            place, begin + 20_000
        )
    log.ended(90_000)
    assert log.rules(tmp_path) == {"D19": "warning"}


def test_stages_that_read_different_rows_are_not_the_same_work(log, tmp_path):
    for place in range(4):
        begin = place * 20_000
        log.job(place, [place], at=begin, tasks=8).even_stage(place, begin=begin, rows=place + 1)
        log.job_end(place, begin + 20_000)
    assert log.ended(90_000).rules(tmp_path) == {}


def test_thousands_of_tiny_tasks_cost_more_than_they_do(log, tmp_path):
    log.job(0, [0], tasks=1000)
    for place in range(1000):
        log.task(0, place * 30, place * 30 + 60, index=place, run=10)
    log.stage(0, 0, 31_000, tasks=1000).job_end(0, 31_000)
    assert log.ended(32_000).rules(tmp_path) == {"D20": "warning"}


def test_jobs_that_wait_for_executors_are_found_without_a_log(tmp_path):
    log = LogBuilder()
    log.add(
        "SparkListenerApplicationStart", **{"App Name": "a", "App ID": "application_1", "Timestamp": T0, "User": "u"}
    )
    log.add("SparkListenerEnvironmentUpdate", **{"Spark Properties": CONF}).job(0, [0], at=0)
    log.executor("1", at=200_000).task(0, 200_000, 201_000).stage(0, 0, 201_000, tasks=1).job_end(0, 201_000)
    assert log.ended(202_000).rules(tmp_path) == {"D12": "warning"}


def test_idle_cores_count_on_long_runs(log, tmp_path):
    for name in range(3, 23):
        log.executor(str(name), host="c", cores=4)
    log.job(0, [0]).even_stage(0).job_end(0, 3_600_000)
    assert log.ended(3_600_000).rules(tmp_path) == {"D18": "warning"}


@pytest.mark.parametrize(("code", "said"), [(137, "is SIGKILL"), (143, "whose heap is full"), (1, "own log says why")])
def test_an_executor_that_is_killed_from_outside_is_lost_and_no_memory_kill(log, tmp_path, code, said):
    log.job(0, [0]).task(0, 0, 500, reason=lost("Executor heartbeat x", "1")).removed(
        "1",
        f"Container from a bad node: container_1 on host: a. Exit status: {code}. Diagnostics: Killed by a signal",
    )
    found = log.even_stage(0).job_end(0, 20_000).ended(600_000).findings(tmp_path)
    finding = find(found, "D26")
    assert (finding.severity.label, said in finding.remedies[0]) == ("warning", True)
    assert not [one for one in found if one.rule == "D1"]


def test_lost_heartbeats_look_at_garbage_collection_first(log, tmp_path):
    reason = "Executor heartbeat timed out after 125000 ms"
    log.job(0, [0]).even_stage(0, gc=2500, executor="1", host="a").removed("1", reason, at=15_000).job_end(0, 20_000)
    found = log.ended(21_000).findings(tmp_path)
    assert "garbage collection took 25%" in find(found, "D4").summary
    assert not [one for one in found if one.rule == "D26"]


def test_a_log_that_ends_in_the_middle_says_so_and_is_no_warning(log, tmp_path):
    log.job(0, [0]).even_stage(0)
    assert log.rules(tmp_path) == {"D22": "info"}


PLAN = {
    "nodeName": "SortMergeJoin",
    "simpleString": "SortMergeJoin [k#1], [k#2]",
    "metrics": [{"name": "number of output rows", "accumulatorId": 1, "metricType": "sum"}],
    "children": [
        {
            "nodeName": "WholeStageCodegen (1)",
            "simpleString": "",
            "metrics": [],
            "children": [
                {
                    "nodeName": "Scan parquet",
                    "simpleString": "",
                    "metrics": [
                        {"name": "number of output rows", "accumulatorId": 2, "metricType": "sum"},
                        {"name": "number of files read", "accumulatorId": 4, "metricType": "sum"},
                        {"name": "size of files read", "accumulatorId": 5, "metricType": "size"},
                    ],
                    "children": [],
                }
            ],
        },
        {
            "nodeName": "Scan parquet",
            "simpleString": "",
            "metrics": [{"name": "number of output rows", "accumulatorId": 3, "metricType": "sum"}],
            "children": [],
        },
    ],
}


def _query(log, *, rows, files=(10, 10 * MB), plan_text="", end=1000):
    log.add(
        f"{SQL}SparkListenerSQLExecutionStart",
        executionId=0,
        description="a join",
        time=T0,
        physicalPlanDescription=plan_text,
        sparkPlanInfo=PLAN,
    )
    log.add(f"{SQL}SparkListenerDriverAccumUpdates", executionId=0, accumUpdates=[[4, files[0]], [5, files[1]]])
    values = [{"ID": key, "Value": str(value)} for key, value in zip((1, 2, 3), rows, strict=True)]
    log.job(0, [0], **{"spark.sql.execution.id": "0"}).task(0, 0, 500)
    log.stage(0, 0, 500, tasks=1, accumulables=values, **{"spark.sql.execution.id": "0"}).job_end(0, 500)
    return log.add(f"{SQL}SparkListenerSQLExecutionEnd", executionId=0, time=T0 + end).ended(max(end, 1000))


BATCH = "{}\nid = 6760dbd5-cc45-4f05-9ac3-31fd7769e3bd\nrunId = 9760dbd5-cc45-4f05-9ac3-31fd7769e3bd\nbatch = 3"


@pytest.mark.parametrize(("name", "label"), [("sales", "sales"), ("", "count at app.py:0")])
def test_batches_of_a_stream_are_no_work_done_again_and_have_the_stream_s_name(log, tmp_path, name, label):
    for number in range(5):
        log.job(number, [number], at=number * 20_000, description=BATCH.format(name))
        log.even_stage(number, begin=number * 20_000, ms=9000).job_end(number, number * 20_000 + 18_000)
    run = log.ended(110_000).run(tmp_path)
    assert "D19" not in {finding.rule for finding in check_run(run, defaults())}
    assert run.stages[(0, 0)].label == label


def test_a_stage_that_spark_submits_by_itself_is_called_as_its_query(log, tmp_path):
    run = _query(log, rows=(1, 1, 1)).run(tmp_path)
    stage = run.stages[(0, 0)]
    stage.name = "$anonfun$withThreadLocalCaptured$1 at CompletableFuture.java:1768"
    assert stage.label == "a join"


def test_a_join_that_explodes_names_its_rows(log, tmp_path):
    found = find(_query(log, rows=(5_000_000_000, 1_000_000, 2_000_000)).findings(tmp_path), "D23")
    assert dict(found.facts) == {"rows_out": 5_000_000_000, "rows_in": [1_000_000, 2_000_000]}


def test_a_join_that_only_joins_is_silent(log, tmp_path):
    assert _query(log, rows=(3_000_000, 1_000_000, 2_000_000)).rules(tmp_path) == {}


def test_thousands_of_tiny_files_are_named(log, tmp_path):
    assert facts(_query(log, rows=(1, 1, 1), files=(5000, 5000 * 1000)).findings(tmp_path), "D20")["files"] == 5000


COMMANDS = [
    "-XX:OnOutOfMemoryError='kill %p' \\",
    'exec /bin/bash -c "$JAVA_HOME/bin/java -server -XX:+HeapDumpOnOutOfMemoryError -XX:+ExitOnOutOfMemoryError"',
]


@pytest.mark.parametrize("line", COMMANDS)
def test_options_of_a_command_line_are_no_symptoms(healthy, tmp_path, line):
    (tmp_path / "aggregated.log").write_text(f"Container: container_1_0001_01_000001 on h\n{line}\n")
    assert healthy.ended(25_000).findings(tmp_path, read_text_logs(tmp_path / "aggregated.log")) == []


@pytest.mark.parametrize("rule", SENTENCES)
def test_each_sentence_has_a_part_that_is_looked_for_first(rule):
    # Alternatives of an expression, but for those within brackets.
    alternatives = re.split(r"\|(?![^(]*\))", SENTENCES[rule].pattern)
    hints = [hint.decode() for hint in HINTS]
    plain = [one.replace("\\", "") for one in alternatives]
    assert [one for one in plain if not any(hint in one for hint in hints)] == []


LOGS = {
    "D8": "WARN DAGScheduler: Broadcasting large task binary with size 5.2 MiB",
    "D12": "WARN YarnScheduler: Initial job has not accepted any resources; check your cluster UI",
    "D14": "ERROR ApplicationMaster: Max number of executor failures (8) reached",
    "D24": "WARN MemoryStore: Not enough space to cache rdd_12_3 in memory! (computed 12.3 MiB so far)",
    "S12": "The value of spark.network.timeout=5s must be greater than spark.executor.heartbeatInterval=10s",
    "S3": "Required executor memory (9000 MB), offHeap (0) MB is above the max threshold (8192 MB) of this cluster!",
}


@pytest.mark.parametrize("rule", LOGS)
def test_logs_of_the_driver_say_what_events_do_not(healthy, tmp_path, rule):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "driver.log").write_text(f"24/01/01 INFO x: started\n24/01/01 {LOGS[rule]}\n")
    logs = read_text_logs(folder)
    findings = healthy.ended(25_000).findings(tmp_path, logs)
    assert [finding.rule for finding in findings] == [rule]
    assert findings[0].evidence[0].startswith("driver.log: ")
    assert findings[0].severity.label in ("warning", "error")


def test_what_a_process_says_while_it_is_shut_down_is_noise(healthy, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "all.txt").write_text(
        "Container: container_1_0001_01_000001 on a_1\nLogType:stderr\nINFO ShutdownHookManager: Shutdown hook called\n"
        "java.io.IOException: Connection reset by peer\njava.lang.OutOfMemoryError: Java heap space\n"
        "End of LogType:stderr\n"
    )
    assert healthy.ended(25_000).findings(tmp_path, read_text_logs(folder)) == []


def test_aggregated_logs_of_yarn_name_the_container_and_its_executor(healthy, tmp_path):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / "all.txt").write_text(
        "Container: container_1_0001_01_000002 on b_8041\nLogType:stderr\n"
        "ERROR Executor: Exception in task 1: java.lang.OutOfMemoryError: Java heap space\n"
    )
    logs = read_text_logs(folder, {"container_1_0001_01_000002": "2"})
    found = find(healthy.ended(25_000).findings(tmp_path, logs), "D7")
    assert "container_1_0001_01_000002" in found.evidence[0]
    assert logs.symptoms.get("D7").executors == {"2"}


@pytest.mark.parametrize("compress", [gzip.compress, zstd])
def test_compressed_logs_are_read_and_binary_ones_are_named(tmp_path, compress):
    (tmp_path / "driver.log.x").write_bytes(compress(TEXTS["D7"].encode() + b"\n"))
    (tmp_path / "aggregated").write_bytes(b"\0\x01TFile" + bytes(100))
    logs = read_text_logs(tmp_path)
    assert logs.symptoms.get("D7").count == 1
    assert len(logs.skipped) == 1
    assert "yarn logs" in logs.skipped[0]


def test_tasks_that_went_with_an_executor_that_was_preempted_are_no_failures(log, tmp_path):
    reason = {**lost("Container was preempted"), "Exit Caused By App": False}
    log.job(0, [0])
    for _ in range(5):
        log.task(0, 0, 10, reason=reason)
    log.removed("1", "Container container_1 was preempted", at=20).even_stage(0).job_end(0, 20_000)
    assert log.ended(21_000).rules(tmp_path) == {"D26": "info"}


def test_an_executor_that_goes_with_its_node_is_told_and_no_warning(log, tmp_path):
    reason = "Container container_1 exited from (Exit status: -100. Diagnostics: Container released on a *lost* node"
    log.job(0, [0]).removed("1", reason, at=20).even_stage(0).job_end(0, 20_000)
    assert log.ended(21_000).rules(tmp_path) == {"D26": "info"}


def test_an_application_that_waits_for_people_is_not_blamed_for_waiting(tmp_path):
    log = LogBuilder().started(name="Spark shell")
    for name in range(3, 23):
        log.executor(str(name), host="c", cores=4)
    log.job(0, [0]).even_stage(0).job_end(0, 3_600_000)
    assert log.ended(3_600_000).rules(tmp_path) == {"D18": "info"}


WHOSE = [("driver.log", "driver"), ("container_1_0001_01_000001.txt", "driver"), ("x.log", "executor")]


@pytest.mark.parametrize(("file", "who"), WHOSE)
def test_a_log_says_whose_heap_ran_out(healthy, tmp_path, file, who):
    folder = tmp_path / "logs"
    folder.mkdir()
    (folder / file).write_text("java.lang.OutOfMemoryError: Java heap space\n")
    assert facts(healthy.ended(25_000).findings(tmp_path, read_text_logs(folder)), "D7")["who"] == who


def test_a_job_that_somebody_cancelled_is_no_failure_of_lost_blocks(log, tmp_path):
    text = "FetchFailed: org.apache.spark.shuffle.FetchFailedException: gone"
    reason = {"Reason": "FetchFailed", "Message": text}
    for failure_of_job, severity in (("Job 0 cancelled because SparkContext was shut down", "warning"), ("x", "error")):
        lost_once = LogBuilder().started().job(0, [0]).even_stage(0).task(0, 0, 5, reason=reason)
        found = lost_once.job_end(0, 90_000, failure=failure_of_job).ended(100_000)
        assert found.rules(tmp_path)["D16"] == severity


def test_a_log_whose_times_contradict_each_other_is_no_run_that_hangs(log, tmp_path):
    log.job(0, [0], tasks=8).task(0, 0, 1000).executor("3", at=2_000_000)
    log.events.append({**log.events[-1], "Event": "SparkListenerTaskStart", "Stage ID": 0, "Stage Attempt ID": 0})
    log.events[-1]["Task Info"] = {"Launch Time": T0 + 500, "Executor ID": "1"}
    assert log.rules(tmp_path)["D27"] == "warning"
    assert log.executor("4", at=10**11).rules(tmp_path)["D27"] == "info"


def test_tiny_tasks_that_read_no_shuffle_change_no_shuffle_partitions(log, tmp_path):
    log.job(0, [0], tasks=600)
    for place in range(600):
        log.task(0, 60 * place, 60 * place + 60, index=place, run=10)
    found = find(log.stage(0, 0, 36_000, tasks=600).job_end(0, 36_000).ended(60_000).findings(tmp_path), "D20")
    assert found.changes == ()
