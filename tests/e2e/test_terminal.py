"""What somebody sees who starts a run in a terminal."""

from __future__ import annotations

import re
import sys
import time

import pytest
from terminal import HIDE, SHOW, Terminal

KEDRO = (sys.executable, "-m", "kedro")


def in_order(words: list[str], text: str) -> bool:
    places = [text.find(word) for word in words]
    return -1 not in places and places == sorted(places)


def left_clean(terminal: Terminal) -> bool:
    return terminal.shown.count(HIDE) == terminal.shown.count(SHOW) == 1 and "━" not in "".join(terminal.left)


def test_a_run_says_from_its_beginning_to_its_end_what_it_is_doing(run_in_terminal):
    _, terminal = run_in_terminal
    phases = ["reading the project", "reading the configuration", "checking inputs", "ingest", "label", "[1/"]
    assert in_order(phases[:3], terminal.text)
    for shown in ("starting Spark", "reading click_log", "writing serps", "fitting the click model", "tasks"):
        assert shown in terminal.text
    counted = [found[0] for line in terminal.left if (found := re.search(r"\[\d+/\d+\]", line))]
    n_nodes = len(counted)
    assert counted == [f"[{number}/{n_nodes}]" for number in range(1, n_nodes + 1)]
    assert left_clean(terminal)
    assert "incubator" not in terminal.text


def test_an_error_is_said_once_below_a_clean_screen(small_project, tmp_path):
    project = small_project.copy(tmp_path / "project")
    project.configure("globals.yml", "documents: {path: data/nowhere}\n")
    terminal = Terminal((*KEDRO, "run"), project.path)
    assert terminal.ended() == 2
    assert terminal.text.count("data/nowhere does not exist") == 1
    assert left_clean(terminal)
    assert terminal.left[-1].startswith("Hint:")


@pytest.mark.parametrize("moment", ["reading the project", "starting Spark", "tasks"])
def test_ctrl_c_leaves_a_clean_screen_whenever_it_comes(small_project, tmp_path, moment):
    project = small_project.copy(tmp_path / "project")
    terminal = Terminal((*KEDRO, "run"), project.path)
    deadline = time.monotonic() + 120
    while moment not in terminal.text:
        assert time.monotonic() < deadline, terminal.text
        time.sleep(0.05)
    terminal.type("\x03")
    assert terminal.ended() == 130
    assert terminal.left[-1].startswith("Interrupted.")
    assert sum("Interrupted" in line for line in terminal.left) == 1
    assert left_clean(terminal)
    assert "Traceback" not in terminal.text
    assert "Aborted" not in terminal.text
    entries = sorted((project.path / "data/.lock").glob("*.json"))
    assert not entries or "released_by" in entries[-1].read_text()
