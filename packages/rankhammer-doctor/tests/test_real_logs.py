"""Real logs beside the repository: what is known of each is found, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from event_logs import lz4_blocks, snappy_blocks, zstd

from rankhammer_doctor.dynamic_rules import check_run
from rankhammer_doctor.dynamic_rules.skew import straggler_of
from rankhammer_doctor.event_log import read_run
from rankhammer_doctor.findings import Severity
from rankhammer_doctor.thresholds import defaults

LOGS = Path(__file__).parents[4] / "shared" / "data" / "spark_event_logs"
pytestmark = [pytest.mark.real, pytest.mark.skipif(not LOGS.exists(), reason="the real event logs are not here")]
FOUND = {
    "app-20161115172038-0000": {"D9"},
    "application_1516285256255_0012": {"D9"},
    "application_1628109047826_1317105": set(),
    "local-1422981780767": {"D21"},
    "local-1642039451826": set(),
    "yarn_spark_2.4.5": set(),
}


@pytest.mark.parametrize("name", FOUND)
def test_what_is_true_of_a_log_is_found_and_nothing_else(name):
    found = check_run(read_run(str(LOGS / name)), defaults())
    assert {one.rule for one in found if one.severity > Severity.INFO} == FOUND[name]
    assert {one.rule for one in found if one.severity == Severity.ERROR} == FOUND[name] & {"D21"}


def test_10_of_26_tasks_fail_and_then_pass():
    stage = read_run(str(LOGS / "app-20161115172038-0000")).stages[(0, 0)]
    assert (stage.n_failed, stage.n_complete) == (10, 16)


def test_a_slow_first_task_is_warm_up_and_no_skew():
    run = read_run(str(LOGS / "application_1516285256255_0012"))
    found = straggler_of(run, run.stages[(0, 0)], defaults()["D5"])
    assert found.cause == "warm-up"
    assert found.bytes_ratio <= 1.0
    assert found.time_ratio == pytest.approx(15.6, abs=1.5)


@pytest.mark.parametrize("compress", [lz4_blocks, snappy_blocks, zstd])
@pytest.mark.parametrize("name", FOUND)
def test_a_log_says_the_same_however_it_is_compressed(tmp_path, name, compress):
    (tmp_path / name).write_bytes(compress((LOGS / name).read_bytes(), 32 << 10 if compress is not zstd else 2))
    plain, packed = read_run(str(LOGS / name)), read_run(str(tmp_path / name))
    assert [stage.totals for stage in packed.stages.values()] == [stage.totals for stage in plain.stages.values()]
    assert packed.report.n_lines == plain.report.n_lines
