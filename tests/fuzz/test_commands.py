"""Whole commands on hostile input: they end with exit code 0, 2 or 3, show no traceback, and write below data alone."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml
from fuzzing.hostile_logs import make_case, store
from fuzzing.log_files import LOAD_ARGS
from fuzzing.outcomes import OF_A_TRACE, in_time, writes_only
from fuzzing.seeds import numbered, rng_of

_FILE = Path(__file__).parents[1] / "e2e" / "conftest.py"
_SPEC = importlib.util.spec_from_file_location("conftest_of_e2e", _FILE)
e2e = importlib.util.module_from_spec(_SPEC)
sys.modules[_SPEC.name] = e2e
_SPEC.loader.exec_module(e2e)
small_project = e2e.small_project
"""The fixture of tests of whole commands."""

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_S = 120.0
CODES = (0, 2, 3)


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[e2e.CommandServer]:
    server = e2e.CommandServer(tmp_path_factory.mktemp("commands"))
    yield server
    server.stop()


@numbered(10)
def test_a_command_on_hostile_input_ends_with_a_known_code_and_no_traceback(place, small_project, server, number):
    rng = rng_of("commands", number)
    case = make_case(rng, number)
    project = small_project.copy(place / "project")
    store(case, project.path / "data" / "01_raw" / "log")
    click_log = {
        "path": "data/01_raw/log",
        "format": case.file_format,
        "load_args": LOAD_ARGS.get(case.file_format, {}),
        "reader": case.log.reader,
        "options": {},
    }
    project.configure("globals.yml", yaml.safe_dump({"click_log": click_log, "reference_judgments": {"path": None}}))
    with in_time(MAX_S), writes_only(place, project.path / "data", project.path / ".viz"):
        code, output = server.run(project.path, "kedro", "run", "--pipelines=ingestion")
    print(json.dumps(click_log), *case.changes, output, sep="\n")  # noqa: T201
    assert code in CODES
    assert not [word for word in OF_A_TRACE if word in output]
    assert code != 2 or "Hint:" in output
