"""Copies of results: the same as what they are copied from, and never a mixture."""

from __future__ import annotations

import pytest
from tests.support.run_results import add_run, make_results, places, record, write_table

from rankhammer.dashboard.mirror import Mirror, is_remote
from rankhammer.dashboard.results import MARKER, Results
from rankhammer.storage.base import LocalStorage


@pytest.fixture
def mirror(tmp_path, folder):
    make_results(folder)
    return Mirror(places(folder), tmp_path / "copies")


def test_copies_show_what_is_there(mirror, folder):
    assert mirror.copy() > 5
    found = Results(mirror.local_places)
    assert found.numbers() == [1]
    assert found.report("training_report", 1) == Results(places(folder)).report("training_report", 1)
    assert len(found.table("evaluation", 1).files) == 1


def test_only_what_has_changed_is_copied_again(mirror, folder):
    mirror.copy()
    assert mirror.copy() == 0
    again = Mirror(mirror.places, mirror.folder)
    assert again.copy() == 0
    add_run(folder, id="later")
    assert again.copy() == 1
    assert Results(again.local_places).numbers() == [2, 1]


def test_what_is_gone_is_not_shown(mirror, folder):
    mirror.copy()
    (folder / "training_report.json").unlink()
    LocalStorage().delete(str(folder / "evaluation"))
    mirror.copy()
    found = Results(mirror.local_places)
    assert "training_report is not there" in found.report("training_report", 1).fault
    assert "evaluation is not there" in found.table("evaluation", 1).fault


def test_a_copy_that_is_interrupted_leaves_no_marker(mirror, folder, monkeypatch):
    mirror.copy()
    write_table(folder, "evaluation", {"corpus": ["other"]})

    def broken(self, path, parts):
        if path.endswith(".parquet"):
            raise OSError("the network is gone")
        original(self, path, parts)

    original = LocalStorage.write_parts
    monkeypatch.setattr(LocalStorage, "write_parts", broken)
    with pytest.raises(OSError, match="network"):
        mirror.copy()
    monkeypatch.undo()
    assert "being written" in Results(mirror.local_places).table("evaluation", 1).fault
    mirror.copy()
    assert (mirror.folder / ".shared/evaluation" / MARKER).read_text() == (folder / "evaluation" / MARKER).read_text()


def test_a_table_that_is_too_large_is_left_out(mirror):
    mirror.most_bytes = 10
    mirror.copy()
    assert "evaluation is not there" in Results(mirror.local_places).table("evaluation", 1).fault


def test_runs_of_their_own_folders_are_copied_by_their_ids_alone(tmp_path):
    for run in ("r1", "r2"):
        make_results(tmp_path / "runs" / run)
    where = places(tmp_path / "runs" / "*") | {"run_history": str(tmp_path / "run_history")}
    add_run(tmp_path, run="r1")
    add_run(tmp_path, run="../r2", id="x")
    mirror = Mirror(where, tmp_path / "copies")
    mirror.copy()
    copied = {path.relative_to(mirror.folder).parts[0] for path in mirror.folder.rglob("*.parquet")}
    assert copied == {"r1"}
    assert (
        "title_bm25"
        in Results(mirror.local_places).report("training_report", 1).content["corpora"]["main"]["feature_importance"]
    )


def test_another_filesystem_is_known_by_its_scheme():
    assert is_remote({"a": "/x", "b": "s3a://bucket/x"})
    assert not is_remote({"a": "/x"})
    assert record()["run"] is None
