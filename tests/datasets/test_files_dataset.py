"""A folder of files by corpus: a run on some corpora leaves the others' files alone, however it ends."""

from __future__ import annotations

import pytest

from rankhammer.datasets import FilesDataset
from rankhammer.datasets.handoff import Fingerprint
from rankhammer.storage import LocalStorage


@pytest.fixture
def root(tmp_path):
    return tmp_path / "ranker"


def dataset(root, corpora: list[str] | None) -> FilesDataset:
    files = FilesDataset(filepath=str(root))
    files.handoff.expected = Fingerprint("ranker", str(corpora), "train", choices={"fold": corpora})
    return files


def die_writing(root, monkeypatch, files: dict[str, bytes], corpora: list[str] | None) -> None:
    write, n = LocalStorage.write_parts, []

    def die_second(self, path, parts):
        n.append(path)
        if len(n) == 2:
            raise KeyboardInterrupt
        write(self, path, parts)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write_parts", die_second)
        with pytest.raises(KeyboardInterrupt):
            dataset(root, corpora).save(files)


def test_a_run_on_some_corpora_replaces_theirs_and_is_read_without_the_others(root):
    dataset(root, None).save({"a/m": b"a1", "a/old": b"a1", "b/m": b"b1"})
    files = dataset(root, ["a"])
    files.save({"a/m": b"a2"})
    assert files.load() == {"a/m": b"a2"}
    assert files.load_all() == {"a/m": b"a2", "b/m": b"b1"}
    assert FilesDataset(filepath=str(root)).load() == {"a/m": b"a2"}
    dataset(root, None).save({"a/m": b"a3"})
    assert dataset(root, None).load_all() == {"a/m": b"a3"}


def test_a_run_that_is_killed_loses_no_ranker_of_other_corpora(root, monkeypatch):
    dataset(root, None).save({"a/m": b"a1", "b/m": b"b1", "c/m": b"c1"})
    die_writing(root, monkeypatch, {"a/m": b"half", "a/n": b""}, ["a"])
    assert not dataset(root, ["a"]).exists()
    dataset(root, ["b"]).save({"b/m": b"b2"})
    assert dataset(root, ["b"]).load_all() == {"b/m": b"b2", "c/m": b"c1"}


def test_what_a_killed_run_on_all_corpora_has_left_is_never_kept(root, monkeypatch):
    die_writing(root, monkeypatch, {"a/m": b"half", "b/m": b""}, None)
    dataset(root, ["b"]).save({"b/m": b"b2"})
    assert dataset(root, ["b"]).load_all() == {"b/m": b"b2"}
