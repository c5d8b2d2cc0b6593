"""A folder of files by corpus: a run on some corpora leaves the others' files alone, however it ends."""

from __future__ import annotations

import pytest

from rankhammer.datasets import FilesDataset
from rankhammer.datasets.handoff import Fingerprint
from rankhammer.errors import ConfigError
from rankhammer.storage.base import LocalStorage


@pytest.fixture
def root(tmp_path):
    return tmp_path / "ranker"


def dataset(root, corpora: list[str] | None) -> FilesDataset:
    files = FilesDataset(filepath=str(root))
    files.handoff.expected = Fingerprint("ranker", str(corpora), "train", choices={"fold": corpora})
    return files


def die_writing(root, monkeypatch, files: dict[str, bytes], corpora: list[str] | None) -> None:
    """Let a run be killed at the last of its files."""
    write, last = LocalStorage.write_parts, max(files)

    def die_at_the_last(self, path, parts):
        if path.endswith(f"/{last}"):
            raise KeyboardInterrupt
        write(self, path, parts)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write_parts", die_at_the_last)
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
    assert (root / "a/m").read_bytes() == b"half"
    assert not dataset(root, ["a"]).exists()
    dataset(root, ["b"]).save({"b/m": b"b2"})
    assert dataset(root, ["b"]).load_all() == {"b/m": b"b2", "c/m": b"c1"}


def test_what_a_killed_run_on_all_corpora_has_left_is_never_kept(root, monkeypatch):
    die_writing(root, monkeypatch, {"a/m": b"half", "b/m": b""}, None)
    dataset(root, ["b"]).save({"b/m": b"b2"})
    assert dataset(root, ["b"]).load_all() == {"b/m": b"b2"}


def test_a_save_that_fails_gives_its_room_back_and_leaves_the_other_corpora(root, monkeypatch):
    dataset(root, None).save({"a/m": b"a1", "b/m": b"b1"})
    write = LocalStorage.write_parts

    def fill_the_disk(self, path, parts):
        if path.endswith("/n"):
            raise OSError(28, "No space left on device", path)
        write(self, path, parts)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write_parts", fill_the_disk)
        with pytest.raises(Exception, match="No space left"):
            dataset(root, ["a"]).save({"a/m": b"a2", "a/n": b"a2"})
    assert not (root / "a").exists()
    assert not dataset(root, ["a"]).exists()
    dataset(root, ["a"]).save({"a/m": b"a2"})
    assert dataset(root, ["a"]).load_all() == {"a/m": b"a2", "b/m": b"b1"}


@pytest.mark.parametrize(
    "content", ["", "[1", '["a"]', '{"replaced": ["a"]}', '{"replaced": ["a"], "files": {"b/m": 1}}']
)
def test_a_note_of_a_killed_run_that_cannot_be_read_lets_all_be_written_again(root, content):
    dataset(root, None).save({"a/m": b"a1", "b/m": b"b1"})
    (root / "_fingerprint.json").unlink()
    (root / "_unfinished.json").write_text(content)
    dataset(root, ["a"]).save({"a/m": b"a2"})
    assert dataset(root, ["a"]).load_all() == {"a/m": b"a2"}


def test_what_is_known_of_other_corpora_outlives_a_killed_run(root, monkeypatch):
    dataset(root, None).save({"a/m": b"a1", "b/m": b"b1"})
    die_writing(root, monkeypatch, {"a/m": b"half", "a/n": b""}, ["a"])
    (root / "b/m").write_bytes(b"b9")
    files = dataset(root, ["a"])
    files.save({"a/m": b"a2"})
    assert files.handoff.verify() == ["b/m has another content than was written"]


def test_a_folder_behind_a_link_stays_where_the_link_leads(root, tmp_path):
    (tmp_path / "disk").mkdir()
    root.symlink_to(tmp_path / "disk")
    for content in (b"1", b"2"):
        dataset(root, None).save({"a/m": content})
    assert root.is_symlink()
    assert (tmp_path / "disk/a/m").read_bytes() == b"2"
    assert dataset(root, None).load() == {"a/m": b"2"}


def test_a_link_that_leads_nowhere_is_told_before_the_run(root, tmp_path):
    root.symlink_to(tmp_path / "unmounted")
    with pytest.raises(ConfigError, match=r"ranker is a link to .*unmounted, which is not there"):
        dataset(root, None).handoff.check_writable()
    assert not (tmp_path / "unmounted").exists()
