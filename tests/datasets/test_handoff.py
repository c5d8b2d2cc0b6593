"""A hand-off exists only when it is complete and made of what this run would make it of."""

from __future__ import annotations

import pytest

from rankhammer.datasets import FilesDataset
from rankhammer.datasets.handoff import MARKER, Fingerprint
from rankhammer.errors import ConfigError, DataError
from rankhammer.runs.user_errors import user_error


def fingerprint(digest: str, **parts: str) -> Fingerprint:
    return Fingerprint("ranker", digest, "train_ranker", parts, {})


@pytest.fixture
def ranker(tmp_path):
    return FilesDataset(filepath=str(tmp_path / "ranker"))


def test_files_come_back_as_they_were_saved(ranker):
    ranker.save({"main/model.ubj": b"\x00\xff", "main/manifest.json": b"{}"})
    assert ranker.exists()
    assert ranker.load() == {"main/model.ubj": b"\x00\xff", "main/manifest.json": b"{}"}


def test_a_save_leaves_no_file_of_the_last_one(ranker):
    ranker.save({"old/model.ubj": b"1"})
    ranker.save({"new/model.ubj": b"2"})
    assert set(ranker.load()) == {"new/model.ubj"}


def test_files_can_be_saved_part_by_part_while_they_are_made(ranker):
    parts = (("main/a.csv", b"1"), ("main/a.csv", b"2"), ("main/b.csv", b""), ("main/c.csv", b"3"))
    ranker.save(part for part in parts)
    assert ranker.load() == {"main/a.csv": b"12", "main/b.csv": b"", "main/c.csv": b"3"}


def test_a_save_that_breaks_off_between_two_parts_leaves_no_half_file(ranker, tmp_path):
    def parts():
        yield "main/a.csv", b"1"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ranker.save(parts())
    assert not ranker.exists()
    assert not (tmp_path / "ranker" / "main" / "a.csv").exists()


def test_a_half_written_folder_is_never_read_as_complete(ranker, tmp_path):
    ranker.save({"main/model.ubj": b"1"})
    (tmp_path / "ranker" / MARKER).unlink()
    assert not ranker.exists()
    with pytest.raises(Exception, match="not finished") as caught:
        ranker.load()
    assert isinstance(user_error(caught.value), DataError)


def test_a_stale_handoff_is_refused_and_says_what_changed(ranker):
    ranker.handoff.expected = fingerprint("1", code="a", **{"params:training": "x"})
    ranker.save({"main/model.ubj": b"1"})
    ranker.handoff.expected = fingerprint("2", code="a", **{"params:training": "y"})
    assert not ranker.exists()
    with pytest.raises(Exception, match=r"params:training changed since node 'train_ranker' wrote it") as caught:
        ranker.load()
    assert "--only-missing-outputs" in str(user_error(caught.value))


def test_an_interrupted_save_is_not_complete(ranker, monkeypatch):
    ranker.save({"main/model.ubj": b"1"})

    def die(path: str, content: bytes) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ranker._storage, "write", die)
    with pytest.raises(KeyboardInterrupt):
        ranker.save({"main/model.ubj": b"2"})
    assert not ranker.exists()


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "main/_fingerprint.json", ".hidden"])
def test_a_published_name_stays_inside_its_folder(ranker, name):
    with pytest.raises(Exception, match="cannot be the name") as caught:
        ranker.save({name: b""})
    assert isinstance(user_error(caught.value), ConfigError)
