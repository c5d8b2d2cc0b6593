"""Estimates keep skew and the driver's part; two runs are compared stage by stage."""

from __future__ import annotations

import json

import pytest
from event_logs import CONF, LogBuilder
from test_reports import call

from rankhammer_doctor.what_if import stage_ms, what_if


def wall_by_executors(run):
    return {one.executors: one.wall_ms for one in what_if(run).estimates}


def test_even_work_is_divided_by_the_slots_and_the_driver_s_part_is_not(log, tmp_path):
    # 40 tasks of 10 s on 4 slots: ten waves; 100 s without a job.
    run = (
        log.job(0, [0], at=50_000, tasks=40)
        .even_stage(0, n=40, begin=50_000)
        .job_end(0, 150_000)
        .ended(200_000)
        .run(tmp_path)
    )
    found = what_if(run)
    assert (found.driver_ms, found.observed_ms) == (100_000, 200_000)
    walls = wall_by_executors(run)
    assert walls[2] == pytest.approx(200_000)
    assert walls[1] == pytest.approx(100_000 + 200_000)
    # 16 slots: three waves.
    assert walls[8] == pytest.approx(100_000 + 30_000)
    assert found.critical_ms == pytest.approx(100_000 + 10_000)
    (own,) = [one for one in found.estimates if one.is_observed]
    assert (own.executors, own.core_hours) == (2, pytest.approx(4 * 200 / 3600))
    assert found.smallest.wall_ms <= 1.1 * min(walls.values())


def test_a_slow_task_stays_slow_however_many_executors_there_are(log, tmp_path):
    log.job(0, [0], tasks=9)
    for place in range(8):
        log.task(0, 0, 1000, index=place)
    run = log.task(0, 0, 60_000, index=8).stage(0, 0, 60_000, tasks=9).job_end(0, 60_000).ended(60_000).run(tmp_path)
    assert min(wall_by_executors(run).values()) >= 60_000


def test_stages_that_wait_for_each_other_are_added_and_others_overlap(log, tmp_path):
    log.job(0, [0, 1, 2], parents={2: (0, 1)}, tasks=2)
    for stage, begin in ((0, 0), (1, 0), (2, 10_000)):
        for place in range(2):
            where = {"executor": str(1 + stage % 2), "host": "ab"[stage % 2]}
            log.task(stage, begin, begin + 10_000, index=place, **where)
        log.stage(stage, begin, begin + 10_000, tasks=2)
    run = log.job_end(0, 20_000).ended(20_000).run(tmp_path)
    assert what_if(run).critical_ms == pytest.approx(20_000)


def test_many_tasks_are_scheduled_by_a_sample(log, tmp_path):
    log.job(0, [0], tasks=6000)
    for place in range(6000):
        log.task(0, place * 10, place * 10 + 1000 + place % 7, index=place)
    run = log.stage(0, 0, 61_000, tasks=6000).job_end(0, 61_000).ended(61_000).run(tmp_path)
    stage, work = run.stages[(0, 0)], 6000 * 1003
    for slots in (1, 3, 10, 100, 1000):
        assert stage_ms(stage, slots) == pytest.approx(work / slots, rel=0.12)
    assert stage_ms(stage, 6000) == 1006


def test_a_run_without_tasks_has_no_estimate(log, tmp_path):
    assert what_if(log.ended(1000).run(tmp_path)) is None


def test_in_local_mode_cores_change(tmp_path):
    log = LogBuilder().started(conf={**CONF, "spark.master": "local[4]"})
    log.events = [one for one in log.events if one["Event"] != "SparkListenerExecutorAdded"]
    log.executor("driver", host="here", cores=4).job(0, [0], tasks=8)
    for place in range(8):
        log.task(0, 10_000 * (place // 4), 10_000 * (place // 4 + 1), index=place, executor="driver", host="here")
    found = what_if(log.stage(0, 0, 20_000, tasks=8).job_end(0, 20_000).ended(20_000).run(tmp_path))
    assert {one.executors for one in found.estimates} == {1}
    assert {one.cores: one.wall_ms for one in found.estimates}[8] == pytest.approx(10_000)


def _run(folder, name, *, ms=10_000, read=1000, gc=0, label="labeling: judge", executors=2):
    log = LogBuilder().started(conf={**CONF, "spark.executor.instances": str(executors)})
    log.job(0, [0], description=label, tasks=8).even_stage(0, ms=ms, read=read, gc=gc).job_end(0, 2 * ms)
    return log.ended(2 * ms + 1000).write(folder / name)


@pytest.mark.parametrize(
    ("later", "cause"),
    [
        ({"ms": 30_000, "read": 50_000}, "more data"),
        ({"ms": 30_000, "gc": 19_000}, "garbage collection"),
        ({"ms": 30_000}, "tasks take longer for the same data"),
    ],
)
def test_what_is_slower_has_a_cause(tmp_path, later, cause):
    code, text, _ = call("compare", _run(tmp_path, "a"), _run(tmp_path, "b", **later))
    assert code == 4
    assert cause in text
    assert "labeling: judge" in text


def test_two_equal_runs_have_nothing(tmp_path):
    code, text, _ = call("compare", _run(tmp_path, "a"), _run(tmp_path, "b"))
    assert code == 0
    assert "No stage is clearly slower." in text


def test_a_folder_counts_by_its_median_and_without_the_run_itself(tmp_path):
    for place, ms in enumerate((9000, 10_000, 90_000)):
        _run(tmp_path, f"old{place}", ms=ms)
    newest = _run(tmp_path, "new", ms=10_500)
    facts = json.loads(call("compare", tmp_path, newest, "--json", "--html", tmp_path / "page.html")[1])
    assert len(facts["baseline"]) == 3
    assert facts["stages"][0]["before_ms"] == 20_000
    assert facts["exit_code"] == 0


def test_what_is_no_log_in_a_folder_is_named_and_not_compared_with(tmp_path):
    (tmp_path / "history").mkdir()
    _run(tmp_path / "history", "old")
    (tmp_path / "history" / "readme").write_text("not a log")
    code, text, _ = call("compare", tmp_path / "history", _run(tmp_path, "new"))
    assert code == 0
    assert "Not compared with: readme is no event log" in text
    (tmp_path / "history" / "old").write_text("neither")
    code, _, error = call("compare", tmp_path / "history", tmp_path / "new")
    assert code == 2
    assert "no earlier log" in error


def test_settings_that_differ_are_listed(tmp_path):
    text = call("compare", _run(tmp_path, "a"), _run(tmp_path, "b", executors=5))[1]
    assert "spark.executor.instances: 2 -> 5" in text
