"""Which errors end as a message with exit code 2, and which keep their traceback."""

from __future__ import annotations

import errno
import logging
import os
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from kedro.config import MissingConfigException
from kedro.io import DatasetError

from rankhammer.cli.main import rankhammer
from rankhammer.datasets import FilesDataset
from rankhammer.errors import CorpusFailure, DataError, SchemaError, did_you_mean, stop_if_all_failed
from rankhammer.runs import execute
from rankhammer.runs.user_errors import GO_ON, report_user_errors, user_error


def wrapped(error: Exception) -> DatasetError:
    try:
        raise DatasetError("Failed while loading data") from error
    except DatasetError as caught:
        return caught


def test_our_error_is_found_behind_kedros():
    error = DataError("no rows", hint="bring rows")
    assert user_error(wrapped(error)) is error


def test_an_error_that_came_from_itself_is_told_all_the_same():
    error, around = DataError("no rows"), ValueError("around it")
    error.__cause__, around.__cause__ = around, error
    assert user_error(around) is error
    one, other = ValueError("1"), ValueError("2")
    one.__cause__, other.__cause__ = other, one
    assert user_error(one) is None


def test_our_error_is_found_in_what_a_worker_printed():
    printed = (
        "An exception was thrown from the Python worker:\nTraceback (most recent call last):\n  File ...\n"
        "rankhammer.errors.SchemaError: column 'title' is missing; found ['body'].\nHint: Map it.\n"
    )
    found = user_error(wrapped(RuntimeError(printed)))
    assert isinstance(found, SchemaError)
    assert (found.message, found.hint) == ("column 'title' is missing; found ['body'].", "Map it.")


def test_what_kedro_refuses_is_said_in_our_words():
    assert user_error(MissingConfigException("conf/prd does not exist")) is not None
    assert user_error(ValueError("Pipeline does not contain nodes named ['lable'].")) is not None
    assert user_error(ValueError("Pipeline contains no nodes after applying all provided filters.")) is not None


@pytest.mark.parametrize("error", [PermissionError(errno.EACCES, "denied"), OSError(errno.ENOSPC, "disk full")])
def test_a_disk_that_takes_no_report_is_no_defect(error):
    assert "permissions" in user_error(wrapped(error)).hint
    assert user_error(wrapped(OSError(errno.EPIPE, "broken pipe"))) is None


def test_a_runner_that_does_not_exist_is_named(capsys):
    assert execute.execute({"pipeline": None, "pipelines": [], "runner": "SequentialRuner"}) == 2
    assert "SequentialRuner" in capsys.readouterr().err


def test_the_demo_refuses_a_folder_with_something_else_in_it(tmp_path):
    (tmp_path / "mine.txt").write_text("not a demo")
    ended = CliRunner().invoke(rankhammer, ["demo", "--out", str(tmp_path)])
    assert ended.exit_code == 2
    assert "Hint: Name another folder" in ended.stderr


def test_the_project_is_found_from_below_it(monkeypatch):
    repository = Path(__file__).parents[2]
    monkeypatch.chdir(repository / "docs" / "stages")
    with execute.open_session({"env": None, "conf_source": None, "params": {}}) as session:
        assert session.load_context().project_path == repository


def test_settings_that_cannot_be_imported_are_no_settings_of_kedros(monkeypatch):
    monkeypatch.setitem(sys.modules, "rankhammer.settings", None)
    with pytest.raises(ImportError, match=r"rankhammer\.settings"):
        execute.open_session({"env": None, "conf_source": None, "params": {}})


def test_a_run_that_failed_says_once_how_to_go_on(caplog):
    logger = logging.getLogger("kedro.runner.sequential_runner")

    def action() -> None:
        logger.warning("No nodes ran. Repeat the previous command to attempt a new run.")
        logger.warning("There are 9 nodes that have not run.\nYou can resume the pipeline run from ...")

    assert report_user_errors(action) == 0
    assert [record.message for record in caplog.records] == [f"9 nodes have not run. Once the fault is cured, {GO_ON}."]


def test_a_defect_keeps_its_traceback():
    assert user_error(ZeroDivisionError()) is None

    def defect() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        report_user_errors(defect)


def test_a_users_error_is_a_message_and_exit_code_2(capsys):
    def action() -> None:
        raise DataError("no rows", hint="bring rows")

    assert report_user_errors(action) == 2
    assert "Error: no rows\nHint: bring rows" in capsys.readouterr().err
    assert report_user_errors(lambda: None) == 0


def test_a_stage_stops_only_when_every_corpus_failed():
    failures = [CorpusFailure("fr", "folding", "3 clusters", "lower folding.n_folds")]
    stop_if_all_failed(failures, n_corpora=2)
    with pytest.raises(DataError, match="'fr' failed in folding: 3 clusters"):
        stop_if_all_failed(failures, n_corpora=1)


def test_a_mistyped_name_is_answered_with_the_closest_or_all():
    assert did_you_mean("dbm", ["dbn", "dctr"]) == "Did you mean 'dbn'?"
    assert did_you_mean("xyz", ["dbn", "dctr"]) == "Known names: dbn, dctr."


def test_a_runner_that_cannot_share_a_session_is_refused_in_two_lines(capsys):
    assert execute.execute({"pipeline": None, "pipelines": [], "runner": "ParallelRunner"}) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("Error: ParallelRunner runs each node in a process of its own")
    assert second.startswith("Hint: Leave --runner out")


def test_what_is_no_runner_is_named(capsys):
    assert execute.execute({"pipeline": None, "pipelines": [], "runner": "os.path.join"}) == 2
    assert "'os.path.join' is no runner" in capsys.readouterr().err


@pytest.mark.parametrize("code", [0, None, 5])
def test_code_that_ends_the_process_does_not_end_it_with_its_own_exit_code(capsys, code):
    def action() -> None:
        raise SystemExit(code)

    assert report_user_errors(action) == 2
    assert f"SystemExit: {code}" in capsys.readouterr().err


def test_a_damaged_handoff_is_listed_with_what_is_wrong_and_is_no_success(tmp_path, monkeypatch):
    ranker = FilesDataset(filepath=str(tmp_path / "ranker"))
    ranker.save({"a/model": b"1234"})
    listed = lambda *_, verify: [execute._describe("ranker", ranker, verify=verify)]  # noqa: E731 - a stand-in
    monkeypatch.setattr(execute, "handoffs", listed)
    assert CliRunner().invoke(rankhammer, ["handoffs", "--verify"]).exit_code == 0
    before = (tmp_path / "ranker/a/model").stat()
    (tmp_path / "ranker/a/model").write_bytes(b"1239")
    os.utime(tmp_path / "ranker/a/model", ns=(before.st_atime_ns, before.st_mtime_ns))
    message = CliRunner().invoke(rankhammer, ["handoffs", "--verify"])
    assert message.exit_code == 2
    assert "a/model has another content than was written" in message.output
    assert "remove its folder" in message.output


def test_nodes_are_named_with_or_without_their_stage():
    given = {"from_nodes": ["judge"], "to_nodes": ["labeling.report_labeling"], "node_names": [], "tags": ["x"]}
    found = execute._with_full_names(given)
    assert found["from_nodes"] == ("labeling.judge",)
    assert found["to_nodes"] == ("labeling.report_labeling",)
    assert (found["node_names"], found["tags"]) == ([], ["x"])
