"""A run in progress: what stands still is said with the thread that does; what only runs is left alone."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from spark_ui import APPLICATION, Ui, served

from rankhammer_doctor.cli import doctor
from rankhammer_doctor.live.check import doing
from rankhammer_doctor.live.looks import Thread

PYTHON = "app//org.apache.spark.api.python.BasePythonRunner$ReaderIterator.read(PythonRunner.scala:1)"
SOCKET = "java.base@17/sun.nio.ch.SocketDispatcher.read0(Native Method)"


def live(ui, *arguments):
    with served(ui) as address:
        return CliRunner().invoke(doctor, ["live", address, "--seconds=0", *arguments], catch_exceptions=False)


def facts(ui):
    done = live(ui, "--json")
    return done.exit_code, json.loads(done.stdout)


def grave(ui):
    code, found = facts(ui)
    return code, [one["rule"] for one in found["findings"] if one["severity"] != "info"]


def test_a_task_that_does_not_end_is_named_with_its_thread():
    done = live(Ui().stage().threads(SOCKET, PYTHON))
    assert done.exit_code == 4
    assert "L1" in done.stdout
    assert "1200 times the median" in done.stdout
    assert "task 7 (TID 17) on executor 1, h1: RUNNABLE, waits for its Python worker; it stood there before" in (
        done.stdout
    )
    assert SOCKET in done.stdout
    assert "py-spy" in done.stdout


@pytest.mark.parametrize(
    "ui",
    [
        Ui().stage(duration=900),
        # Slow beside tasks of 200 ms, but not for a minute.
        Ui().stage(duration=20_000),
        Ui().stage(duration=240_000, median=100_000.0),
        Ui().stage(complete=0, active=8, duration=600_000, submitted=600),
        Ui().stage(active=0, submitted=5),
        Ui().stage(failed=1, duration=900),
        Ui(completed=True).stage(),
    ],
)
def test_what_only_runs_is_left_alone(ui):
    assert grave(ui) == (0, [])


def test_no_task_that_runs_and_no_executor():
    ui = Ui().stage(complete=0, active=0)
    ui.answers["/allexecutors"] = [Ui.executor("driver") | {"maxTasks": 0}]
    code, found = facts(ui)
    assert (code, found["findings"][0]["summary"]) == (4, "no task runs: no executor is there")


def test_garbage_lost_executors_and_failures():
    ui = Ui().stage(failed=3, duration=900)
    killed = "Container killed by YARN for exceeding physical memory limits. 1.0 GB of 1 GB physical memory used."
    gone = [
        Ui.executor("2", active=False, reason=killed),
        Ui.executor("3", active=False, reason="Executor idle for 60"),
    ]
    ui.answers["/allexecutors"] = [Ui.executor("1", gc=40_000), *gone]
    code, found = facts(ui)
    assert code == 4
    assert {one["rule"] for one in found["findings"]} == {"L3", "L4", "L5"}
    assert "see D1" in str(found["findings"])
    assert "executor 3" not in str(found["findings"])
    assert "java.io.IOException: no" in str(found["findings"])


def test_between_jobs_the_driver_is_told():
    ui = Ui().threads("org.apache.spark.api.python.PythonGatewayServer$.main(x)", executor="driver", name="main")
    code, found = facts(ui)
    assert (code, [one["rule"] for one in found["findings"]]) == (0, ["L6"])
    assert "its Python works" in found["findings"][0]["summary"]


@pytest.mark.parametrize(
    ("thread", "said"),
    [
        (Thread("t", "BLOCKED", ("a.B.c(B.java:1)",), "Lock(a.B@1)"), "waits for a lock (Lock(a.B@1))"),
        (
            Thread("t", "WAITING", ("o.a.spark.storage.ShuffleBlockFetcherIterator.next",)),
            "waits for blocks of a shuffle",
        ),
        (
            Thread("t", "RUNNABLE", ("java.lang.Math.sin(x)", "com.shop.Price.of(Price.scala:9)")),
            "is in com.shop.Price.of",
        ),
        (Thread("t", "RUNNABLE", ("sun.nio.ch.Net.poll(Native)",)), "waits for the network"),
        (Thread("t", "RUNNABLE", ()), "shows no frame"),
    ],
)
def test_what_a_thread_does(thread, said):
    assert doing(thread) == said


@pytest.mark.parametrize("answer", [500, b"<html>", b"[" * 100_000, [], [1, None], {"a": 1}, b"", [{"name": "no id"}]])
def test_what_is_no_spark_ends_with_a_hint(answer):
    ui = Ui()
    ui.answers[""] = answer
    done = live(ui)
    assert done.exit_code == 2
    assert "Hint: " in done.stderr


@pytest.mark.parametrize(
    "answer", [None, 404, {"a": 1}, ["x"], [{}], [{"stageId": "x", "numTasks": None, "taskId": []}]]
)
def test_answers_of_other_forms_are_no_crash(answer):
    ui = Ui().stage().threads(PYTHON)
    for path in list(ui.answers):
        if path:
            ui.answers[path] = answer
    assert live(ui).exit_code in (0, 4)


@pytest.mark.parametrize("place", ["http://[", "http://h:x", "ftp://h", "a b", "", "file:///etc/passwd", "http://"])
def test_what_is_no_address_ends_with_a_hint(place):
    done = CliRunner().invoke(doctor, ["live", place], catch_exceptions=False)
    assert (done.exit_code, "Hint: " in done.stderr) == (2, True)


def test_one_of_several_applications_is_chosen_by_its_id():
    done = live(Ui(), "--application", "application_9_0001")
    assert done.exit_code == 2
    assert APPLICATION in done.stderr


def test_names_move_no_cursor_and_run_no_script(tmp_path):
    ui = Ui(name="<script>alert(1)</script>\x1b[31m").stage().threads("\x1b[2J<script>a</script>")
    done = live(ui, "--html", str(tmp_path / "page.html"))
    assert "\x1b" not in done.stdout
    assert "<script" not in (tmp_path / "page.html").read_text()
