"""Small files between runs: replaced as a whole, missing where they cannot be read, and a history that only grows."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from kedro.io import DatasetError

from rankhammer.datasets import HistoryDataset, StateDataset
from rankhammer.errors import ConfigError
from rankhammer.runs.user_errors import user_error
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.base import LocalStorage
from rankhammer.storage.state_files import parse

FAULTS = {
    b"": "is empty",
    b'{"a": ': "is cut off, or no JSON",
    b"\xff\xfe": "is cut off, or no JSON",
    b"[" * 100_000: "is cut off, or no JSON",
    b"[1]": "holds something else",
    b'{"format": 2}': "is of a newer version (format 2; this one knows 1)",
    b'{"format": "x"}': "is of a newer version (format x; this one knows 1)",
    b'{"a": 1}': "holds no 'digest'",
}


@pytest.mark.parametrize(("content", "fault"), FAULTS.items())
def test_what_cannot_be_used_is_said_in_words(content, fault):
    assert parse(content, keys=("digest",)) == (None, fault)


def test_a_state_comes_back_and_is_never_half_there(tmp_path, monkeypatch):
    state = StateDataset(filepath=str(tmp_path / "state.json"))
    assert not state.exists()
    state.save({"b": 1, "a": [2]})
    assert state.load() == {"a": [2], "b": 1}
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(DatasetError, match=r"No space left on device: .*state\.json"):
        state.save({"a": "other"})
    assert state.load() == {"a": [2], "b": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]


@pytest.mark.parametrize("content", [b"", b'{"a": ', b"[1]", b'{"format": 9}'])
def test_a_state_that_cannot_be_read_counts_as_missing_with_one_warning(tmp_path, caplog, content):
    state = StateDataset(filepath=str(tmp_path / "state.json"))
    (tmp_path / "state.json").write_bytes(content)
    for _ in range(2):
        with pytest.raises(DatasetError):
            state.load()
    assert caplog.text.count("it counts as missing") == 1
    state.save({"a": 1})
    assert state.load() == {"a": 1}


def test_a_state_or_record_that_was_damaged_and_still_reads_counts_as_missing_with_one_warning(tmp_path, caplog):
    state, history = (
        StateDataset(filepath=str(tmp_path / "state.json")),
        HistoryDataset(filepath=str(tmp_path / "runs")),
    )
    state.save({"ndcg": 0.71, "n": float("nan")})
    for n in range(2):
        history.save({"id": n, "ndcg": 0.71})
    for file in (tmp_path / "state.json", tmp_path / "runs/000001.json"):
        file.write_text(file.read_text().replace("0.71", "0.91"))
    for _ in range(2):
        with pytest.raises(DatasetError):
            state.load()
        assert history.load() == [{"id": 1, "ndcg": 0.71, "number": 2}]
    assert caplog.text.count("is damaged: its content does not have the checksum") == 2


def test_a_state_of_a_version_without_checksums_is_read(tmp_path):
    (tmp_path / "state.json").write_text('{"a": 1}')
    assert StateDataset(filepath=str(tmp_path / "state.json")).load() == {"a": 1}


def test_the_history_gives_its_records_newest_first_and_leaves_out_what_cannot_be_read(tmp_path, caplog):
    history = HistoryDataset(filepath=str(tmp_path / "history"))
    assert history.load() == []
    for n in range(3):
        history.save({"id": n})
    (tmp_path / "history/000002.json").write_text("")
    assert history.load() == [{"id": 2, "number": 3}, {"id": 0, "number": 1}]
    assert "that run is left out" in caplog.text
    history.save({"id": 3})
    assert [run["number"] for run in history.load()] == [4, 3, 1]


def test_runs_that_end_at_once_all_stand_in_the_history(tmp_path):
    history = HistoryDataset(filepath=str(tmp_path))
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda n: history.save({"id": n}), range(12)))
    assert {run["id"] for run in history.load()} == set(range(12))


def test_numbers_go_on_behind_a_file_that_cannot_be_read(tmp_path):
    row = AppendOnlyLog(LocalStorage(), str(tmp_path))
    assert row.append({"n": 1}, after=0)
    (tmp_path / "000002.json").write_text("{")
    assert (row.newest().number, row.newest().content) == (2, {})
    assert row.append({"n": 3}, after=2)
    assert json.loads((tmp_path / "000003.json").read_text()) == {"n": 3}


def test_a_folder_in_the_place_of_a_state_is_named(tmp_path):
    (tmp_path / "state.json").mkdir()
    with pytest.raises(Exception, match=r"state\.json is a folder") as caught:
        StateDataset(filepath=str(tmp_path / "state.json")).save({})
    assert isinstance(user_error(caught.value), ConfigError)
