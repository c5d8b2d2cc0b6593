"""What moves in a terminal leaves it as it was found, and hides nothing that is printed meanwhile."""

from __future__ import annotations

import sys

import pytest
from terminal import HIDE, SHOW, Terminal, screen

from rankhammer import display, progress

BEGIN = r"""
import logging, os, re, sys, threading, time
from rankhammer import display, progress, spark
from rankhammer.spark import output as spark_output
logging.basicConfig(stream=sys.stdout, level="INFO", format="%(message)s")
drawn, write = [], sys.stdout.write
sys.stdout.write = lambda text: drawn.append(text) or write(text)
def await_drawn(*texts):
    deadline = time.monotonic() + 60
    while not all(text in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", "".join(drawn)) for text in texts):
        assert time.monotonic() < deadline, (texts, drawn)
        time.sleep(0.01)
"""
PRINTS = """
also = ()
with display.shown("reading the project"):
    display.begin(3)
    for number in range(3):
        display.node(f"node {number}")
        progress.tell("reading a table")
        await_drawn(f"node {number}", "reading a table", f"{number + 1}/3", *also)
        print(f"out {number}")
        print(f"err {number}", file=sys.stderr)
        logging.info("log %d", number)
        with spark_output.JvmErrors() as errors:
            os.write(errors.writing, b"jvm %d\\n" % number)
        display.advance()
"""
DRAWN = "await_drawn('reading the project')"
ENDINGS = {
    "success": (DRAWN, 0),
    "error": (DRAWN + "; 1 / 0", 1),
    "ctrl-c": (DRAWN + "; raise KeyboardInterrupt", 130),
    "exit": (DRAWN + "; sys.exit(2)", 2),
}


def run(script: str) -> Terminal:
    terminal = Terminal([sys.executable, "-c", BEGIN + script])
    terminal.code = terminal.ended()
    return terminal


@pytest.mark.parametrize("ending", ENDINGS)
def test_however_a_run_ends_the_cursor_is_back_and_no_line_stays(ending):
    last, code = ENDINGS[ending]
    terminal = run(f"with display.shown('reading the project'):\n    {last}\n")
    assert terminal.code in (code, -2)
    assert "reading the project" in terminal.text
    assert terminal.shown.count(HIDE) == terminal.shown.count(SHOW) == 1
    assert not [line for line in terminal.left if "reading the project" in line or "━" in line]
    assert sum("ZeroDivisionError" in line for line in terminal.left) == (ending == "error")


def test_ctrl_c_while_the_first_line_is_drawn_leaves_nothing():
    script = """
def interrupted(listener):
    progress.listen = lambda _: None
    await_drawn("reading the project")
    raise KeyboardInterrupt
progress.listen = interrupted
with display.shown("reading the project"):
    pass
"""
    terminal = run(script)
    assert "reading the project" in terminal.text
    assert terminal.shown.count(HIDE) == terminal.shown.count(SHOW) == 1
    assert not [line for line in terminal.left if "reading the project" in line]


def test_nothing_that_is_printed_meanwhile_is_lost_or_comes_twice():
    terminal = run(PRINTS)
    expected = [f"{source} {number}" for number in range(3) for source in ("out", "err", "log", "jvm")]
    assert terminal.left == expected


def test_the_step_the_count_and_the_seconds_are_shown():
    terminal = run(PRINTS)
    for text in ("node 0", "1/3", "node 2", "3/3", "reading a table", "0 s"):
        assert text in terminal.text


def test_the_time_that_is_left_is_shown_and_goes_with_the_lines():
    script = PRINTS.replace("display.begin(3)", "display.begin(3, lambda: 'about 40 s left')")
    terminal = run(script.replace("also = ()", "also = ('about 40 s left',)"))
    assert "about 40 s left" in terminal.text
    assert not [line for line in terminal.left if "left" in line]


def test_spark_is_named_while_it_starts_and_its_tasks_while_they_run():
    script = """
spark.is_starting = lambda: True
spark.running_tasks = lambda: (3, 8)
with display.shown("a node"):
    await_drawn("starting Spark")
    spark.is_starting = lambda: False
    await_drawn("3/8 tasks")
"""
    terminal = run(script)
    assert "starting Spark" in terminal.text
    assert "3/8 tasks" in terminal.text


def test_a_spark_that_has_died_is_said_by_nobody_here():
    script = """
asked = threading.Semaphore(0)
def dead():
    asked.release()
    raise ConnectionRefusedError("the JVM is gone")
spark.running_tasks = dead
with display.shown("a node"):
    assert asked.acquire(timeout=60)
    assert asked.acquire(timeout=60)
"""
    terminal = run(script)
    assert terminal.left == []


def test_stderr_that_is_a_file_keeps_what_is_written_there(tmp_path):
    script = f"sys.stderr = open({str(tmp_path / 'err')!r}, 'w')\n{PRINTS}"
    terminal = run(script)
    assert [line for line in (tmp_path / "err").read_text().splitlines() if "err" in line] == [
        "err 0",
        "err 1",
        "err 2",
    ]
    assert not [line for line in terminal.left if "err" in line]


def test_without_a_terminal_nothing_is_shown(capsys):
    with display.shown("reading the project"):
        display.begin(3)
        display.node("first")
        progress.tell("reading a table")
        display.advance()
    assert capsys.readouterr() == ("", "")


def test_the_screen_of_these_tests_does_what_a_terminal_does():
    assert screen("a\r\nbc\rd\r\n\x1b[1A\x1b[2Kx\x1b[31m y") == ["a", "x y"]
