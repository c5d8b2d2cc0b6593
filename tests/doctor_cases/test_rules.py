"""Each rule that one machine can show speaks on an event log of real Spark, and the negative is silent."""

from __future__ import annotations

import shutil

import pytest

from rankhammer_doctor.dynamic_rules import check_run
from rankhammer_doctor.event_log import read_run
from rankhammer_doctor.findings import Severity
from rankhammer_doctor.text_logs import read_text_logs
from rankhammer_doctor.thresholds import defaults

from .conftest import run_case, the_log

pytestmark = pytest.mark.doctor_cases
# What needs a cluster (kills by YARN, a full queue, lost executors and blocks, S3): test_cluster.py.
CHECKED_SOON = {
    "spark.scheduler.barrier.maxConcurrentTasksCheck.interval": "1s",
    "spark.scheduler.barrier.maxConcurrentTasksCheck.maxFailures": "2",
}
CASES = {
    "healthy": ({}, {}),
    "skew": ({}, {"D5": "warning"}),
    "warm_up": ({}, {}),
    "retries": ({}, {"D9": "warning"}),
    "cache": ({"spark.driver.memory": "512m"}, {"D24": "warning"}),
    "results": ({"spark.driver.maxResultSize": "1m"}, {"D3": "error"}),
    "closure": ({}, {"D8": "warning"}),
    "python_crash": ({}, {"D13": "error"}),
    # With adaptive execution Spark waits for a table however long it takes.
    "broadcast": ({"spark.sql.broadcastTimeout": "2", "spark.sql.adaptive.enabled": "false"}, {"D15": "error"}),
    "heap": ({}, {"D7": "error"}),
    "spill": ({}, {"D17": "warning"}),
    "explode": ({}, {"D23": "warning"}),
    "again": ({}, {"D19": "warning"}),
    "files": ({}, {"D20": "warning"}),
    "barrier": (CHECKED_SOON, {"D11": "error"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_rule_speaks_on_what_real_spark_has_written(folder, case):
    settings, expected = CASES[case]
    log = the_log(
        run_case(case, folder / "cases", **{key.replace(".", "__"): value for key, value in settings.items()})
    )
    text = folder / "text" / case
    text.mkdir(parents=True)
    shutil.copy(folder / "cases" / f"{case}.txt", text / "driver.log")
    findings = check_run(read_run(str(log)), defaults(), read_text_logs(text))
    assert {one.rule: one.severity.label for one in findings if one.severity > Severity.INFO} == expected
    if case == "warm_up":
        assert [dict(one.facts)["cause"] for one in findings if one.rule == "D5"] == ["warm-up"]
