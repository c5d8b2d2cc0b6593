"""Readers see one version, whole; of two publishers one wins, and the other is told who."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import pytest

from rankhammer.datasets import PublishedDataset
from rankhammer.datasets.handoff import Fingerprint
from rankhammer.errors import ClusterError, ConfigError, DataError
from rankhammer.runs.user_errors import user_error
from rankhammer.storage.append_log import AppendOnlyLog
from rankhammer.storage.base import LocalStorage
from rankhammer.storage.publication import Candidates, VersionStore, follow

HOUR_S = 3600.0


@pytest.fixture
def root(tmp_path):
    return tmp_path / "exported_model"


def dataset(root, **options) -> PublishedDataset:
    return PublishedDataset(filepath=str(root), **options)


def versions(root) -> list[str]:
    return sorted(path.name for path in (root / "versions").iterdir())


def grow_old(root, hours: float) -> None:
    """Let all that is there now have been written some hours ago."""
    for path in root.rglob("*"):
        at = path.stat().st_mtime - hours * HOUR_S
        os.utime(path, (at, at), follow_symlinks=False)


def test_files_come_back_and_stand_behind_a_link_that_is_easy_to_open(root):
    published = dataset(root)
    assert not published.exists()
    published.save({"shop/json/model.json": b"1"})
    assert published.exists()
    assert published.load() == {"shop/json/model.json": b"1"}
    assert (root / "current/shop/json/model.json").read_bytes() == b"1"
    published.save({"shop/json/model.json": b"2"})
    assert (root / "current/shop/json/model.json").read_bytes() == b"2"
    assert follow(f"{root}/current/shop") == f"{root}/versions/{versions(root)[1]}/shop"


def test_the_same_content_is_the_same_version_and_the_same_pointer(root):
    dataset(root).save({"a": b"1"})
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    dataset(root).save({"a": b"1"})
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before


def test_the_same_content_made_of_something_else_is_a_pointer_and_no_version(root):
    published = dataset(root)
    published.save({"a": b"1"})
    published.handoff.expected = Fingerprint("exported_model", "2", "export")
    assert not published.exists()
    published.save({"a": b"1"})
    assert published.exists()
    assert len(versions(root)) == 1
    assert len(list((root / "pointers").iterdir())) == 2


def test_the_run_stands_in_the_pointer_and_not_in_the_files(root, tmp_path):
    dataset(root, run="20261121T120000Z-ab12").save({"a": b"1"})
    dataset(tmp_path / "other", run="20261122T120000Z-cd34").save({"a": b"1"})
    assert VersionStore(str(root)).newest().run == "20261121T120000Z-ab12"
    assert versions(root) == versions(tmp_path / "other")


@pytest.mark.parametrize("n_written", [0, 1, 2])
def test_a_publisher_that_dies_leaves_the_last_version_current_and_its_own_is_made_whole(root, monkeypatch, n_written):
    dataset(root).save({"a": b"old"})
    write, written = LocalStorage.write, []

    def die_after(self, path, content):
        if len(written) == n_written:
            raise KeyboardInterrupt
        written.append(path)
        write(self, path, content)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write", die_after)
        patch.setattr(AppendOnlyLog, "append", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            dataset(root).save({"a": b"new", "b": b"new"})
    assert dataset(root).load() == {"a": b"old"}
    if n_written:
        (root / "versions" / versions(root)[1] / "a").write_bytes(b"half")
    dataset(root).save({"a": b"new", "b": b"new"})
    assert dataset(root).load() == {"a": b"new", "b": b"new"}


def test_who_publishes_over_a_version_that_he_has_not_seen_is_told_whose_it_is(root):
    first, second = dataset(root, run="late"), dataset(root, run="early")
    for published in (first, second):
        published.handoff.check_writable()
    second.save({"a": b"second"})
    with pytest.raises(Exception, match="run early, process") as caught:
        first.save({"a": b"first"})
    assert isinstance(user_error(caught.value), DataError)
    assert dataset(root).load() == {"a": b"second"}
    again = dataset(root)
    again.handoff.check_writable()
    again.save({"a": b"first"})
    assert dataset(root).load() == {"a": b"first"}


def test_two_who_publish_the_same_at_once_both_have_their_way(root):
    first, second = dataset(root), dataset(root)
    for published in (first, second):
        published.handoff.check_writable()
        published.save({"a": b"same"})
    assert len(versions(root)) == 1


def test_of_many_publishers_at_once_one_wins(root):
    dataset(root).save({"a": b"0"})

    def publish(n: int) -> bool:
        try:
            VersionStore(str(root)).publish(
                {"a": b"%d" % n}, replaces=1, made_of=asdict(Fingerprint("m", str(n), "export"))
            )
        except DataError:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        won = [n for n, is_won in enumerate(pool.map(publish, range(16))) if is_won]
    assert len(won) == 1
    assert dataset(root).load() == {"a": b"%d" % won[0]}


def test_who_loses_while_writing_is_told_so_and_not_that_a_file_is_missing(root, monkeypatch):
    dataset(root).save({"a": b"0"})
    made_of = asdict(Fingerprint("m", "1", "export"))

    def write(storage: LocalStorage, path: str, content: bytes) -> None:
        monkeypatch.undo()
        VersionStore(str(root)).publish({"a": b"first"}, replaces=1, made_of=made_of)
        raise FileNotFoundError(path)

    monkeypatch.setattr(LocalStorage, "write", write)
    with pytest.raises(DataError, match="published 000002-"):
        VersionStore(str(root)).publish({"a": b"late"}, replaces=1, made_of=made_of)
    assert dataset(root).load() == {"a": b"first"}


def test_a_number_that_is_free_again_because_it_was_pruned_wins_nothing(tmp_path):
    row = AppendOnlyLog(LocalStorage(), str(tmp_path))
    for n in range(20):
        assert row.append({"n": n}, after=n)
    row.prune(1)
    assert row.numbers() == list(range(11, 21))
    assert not row.append({"n": "late"}, after=3)
    assert row.newest().content == {"n": 19}


def test_old_versions_go_but_none_that_is_kept_or_was_replaced_just_now(root):
    for n in range(4):
        dataset(root, keep=2).save({"a": b"%d" % n})
    assert len(versions(root)) == 4
    grow_old(root, hours=2)
    dataset(root, keep=2).save({"a": b"4"})
    # The one before was replaced just now; those before it two hours ago.
    assert [name[:6] for name in versions(root)] == ["000004", "000005"]
    assert dataset(root).load() == {"a": b"4"}


def test_a_version_that_another_publisher_is_writing_is_never_deleted(root):
    dataset(root).save({"a": b"1"})
    unfinished = {number: root / "versions" / f"{number}-0123456789ab" for number in ("000001", "000003")}
    for folder in unfinished.values():
        folder.mkdir()
        (folder / "a").write_bytes(b"?")
    dataset(root, keep=1).save({"a": b"2"})
    assert all(folder.exists() for folder in unfinished.values())
    grow_old(root, hours=2)
    unfinished["000003"].rename(root / "versions" / "000009-0123456789ab")
    dataset(root, keep=1).save({"a": b"3"})
    assert [name[:6] for name in versions(root)] == ["000002", "000003", "000009"]


def test_a_version_that_was_changed_or_lost_a_file_is_not_read(root):
    dataset(root).save({"a": b"1", "b": b"2"})
    (root / "current/a").write_bytes(b"9")
    with pytest.raises(Exception, match="changed after it was published"):
        dataset(root).load()
    (root / "current/a").unlink()
    with pytest.raises(Exception, match="lacks a"):
        dataset(root).load()


def test_a_link_that_was_copied_as_a_folder_becomes_a_link_again(root):
    dataset(root).save({"a": b"1"})
    (root / "current").unlink()
    (root / "current").mkdir()
    dataset(root).save({"a": b"2"})
    assert (root / "current").is_symlink()
    assert (root / "current/a").read_bytes() == b"2"


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", ".hidden"])
def test_a_published_name_stays_inside_its_folder(root, name):
    with pytest.raises(Exception, match="cannot be the name") as caught:
        dataset(root).save({name: b""})
    assert isinstance(user_error(caught.value), ConfigError)


def test_a_stale_version_is_refused_and_says_what_changed(root):
    published = dataset(root)
    published.handoff.expected = Fingerprint("exported_model", "1", "export", {"code": "a"})
    published.save({"a": b"1"})
    published.handoff.expected = Fingerprint("exported_model", "2", "export", {"code": "b"})
    with pytest.raises(Exception, match="is stale: code changed"):
        published.load()
    pointer = json.loads((root / "pointers/000001.json").read_text())
    assert pointer["made_of"]["parts"] == {"code": "a"}


def test_a_store_that_ignores_the_condition_is_refused_before_the_first_node(root, monkeypatch):
    monkeypatch.setattr(LocalStorage, "create", lambda self, path, content: True)
    with pytest.raises(ClusterError, match="lets two writers create one file"):
        dataset(root).handoff.check_writable()


def publish(root, files: dict[str, bytes], corpora: list[str] | None) -> PublishedDataset:
    published = dataset(root)
    published.handoff.expected = Fingerprint("exported_model", str(files), "export", choices={"fold": corpora})
    published.save(files)
    return published


def test_a_run_on_some_corpora_keeps_the_others_as_they_were_published(root):
    publish(root, {"a/json/m": b"a1", "b/json/m": b"b1", "c/json/m": b"c1"}, None)
    first = versions(root)[0]
    published = publish(root, {"a/json/m": b"a2"}, ["a"])
    assert published.load_all() == {"a/json/m": b"a2", "b/json/m": b"b1", "c/json/m": b"c1"}
    assert published.load() == {"a/json/m": b"a2"}
    assert published.kept() == {"b": first, "c": first}
    published = publish(root, {"b/json/m": b"b2"}, ["b"])
    assert published.load_all() == {"a/json/m": b"a2", "b/json/m": b"b2", "c/json/m": b"c1"}
    assert published.kept() == {"a": versions(root)[1], "c": first}
    published = publish(root, {"a/json/m": b"a3"}, None)
    assert (published.load_all(), published.kept()) == ({"a/json/m": b"a3"}, {})


def test_a_corpus_that_a_run_works_on_and_does_not_publish_is_not_kept(root):
    publish(root, {"a/json/m": b"a1", "b/json/m": b"b1"}, None)
    assert publish(root, {"a/json/m": b"a2"}, ["a", "b"]).load_all() == {"a/json/m": b"a2"}


def test_a_corpus_is_not_taken_for_another_whose_name_begins_alike(root):
    publish(root, {"a/json/m": b"a1", "a/b/json/m": b"ab1", "ab/json/m": b"b1"}, None)
    assert publish(root, {"a/json/m": b"a2"}, ["a"]).kept().keys() == {"a/b", "ab"}


def test_what_was_damaged_is_not_carried_over(root):
    publish(root, {"a/json/m": b"a1", "b/json/m": b"b1"}, None)
    (root / "current/b/json/m").write_bytes(b"?")
    with pytest.raises(Exception, match="changed after it was published"):
        publish(root, {"a/json/m": b"a2"}, ["a"])


@pytest.mark.parametrize("content", ["", '{"vers', "[]", '{"a": 1}'])
def test_a_pointer_that_cannot_be_read_leaves_the_version_before_and_the_next_number_is_published(
    root, content, caplog
):
    for n in range(2):
        dataset(root).save({"a/t/f": b"%d" % n})
    (root / "pointers/000002.json").write_text(content)
    assert dataset(root).load() == {"a/t/f": b"0"}
    assert caplog.text.count("the version of the pointer before it counts") == 1
    dataset(root).save({"a/t/f": b"2"})
    assert dataset(root).load() == {"a/t/f": b"2"}
    assert VersionStore(str(root)).newest().number == 3


def test_a_pointer_of_a_newer_version_is_not_published_over(root):
    dataset(root).save({"a/t/f": b"0"})
    (root / "pointers/000002.json").write_text('{"format": 2, "version": "x"}')
    with pytest.raises(Exception, match="is of a newer version") as caught:
        dataset(root).save({"a/t/f": b"1"})
    assert user_error(caught.value).hint == "Update this installation of Rankhammer."


def test_a_pointer_with_more_in_it_than_this_version_knows_is_read(root):
    dataset(root).save({"a/t/f": b"0"})
    path = root / "pointers/000001.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"signed_by": "somebody"}))
    assert dataset(root).load() == {"a/t/f": b"0"}


def test_what_a_failed_publication_has_written_is_removed(root, monkeypatch):
    dataset(root).save({"a/t/f": b"0"})
    write = LocalStorage.write

    def fill_the_disk(self, path, content):
        if path.endswith("/g"):
            raise OSError(28, "No space left on device", path)
        write(self, path, content)

    with monkeypatch.context() as patch:
        patch.setattr(LocalStorage, "write", fill_the_disk)
        with pytest.raises(Exception, match="No space left") as caught:
            dataset(root).save({"a/t/f": b"1", "a/t/g": b"1"})
    assert isinstance(user_error(caught.value), ConfigError)
    assert versions(root) == [VersionStore(str(root)).newest().version]
    dataset(root).save({"a/t/f": b"1", "a/t/g": b"1"})
    assert dataset(root).load() == {"a/t/f": b"1", "a/t/g": b"1"}


def hold_back(root, files: dict[str, bytes], held_back: dict[str, bytes], corpora=None, **options) -> PublishedDataset:
    published = dataset(root, **options)
    made_of = Fingerprint("exported_model", f"{files}{held_back}", "export", choices={"fold": corpora})
    published.handoff.expected = made_of
    published.save(Candidates(files, held_back))
    return published


def test_what_is_held_back_is_a_version_and_what_was_current_stays(root):
    publish(root, {"a/json/m": b"a1", "b/json/m": b"b1"}, None)
    first = versions(root)[0]
    published = hold_back(root, {"a/json/m": b"a2"}, {"b/json/m": b"b2"})
    assert published.load_all() == {"a/json/m": b"a2", "b/json/m": b"b1"}
    assert (published.load(), published.kept()) == ({"a/json/m": b"a2"}, {"b": first})
    (version,) = {*published.held_back().values()}
    assert published.held_back() == {"b": version}
    assert (root / "versions" / version / "b/json/m").read_bytes() == b"b2"
    assert published.load_held_back("b") == {"b/json/m": b"b2"}
    assert published.load_held_back("a") == {}
    assert published.exists()
    assert publish(root, {"a/json/m": b"a3", "b/json/m": b"b3"}, None).held_back() == {}


def test_a_first_ranker_that_is_held_back_leaves_nothing_current(root):
    published = hold_back(root, {}, {"b/json/m": b"b1"})
    assert published.load_all() == {}
    assert not os.path.lexists(root / "current")
    assert published.load_held_back("b") == {"b/json/m": b"b1"}
    assert published.handoff.verify() == []
    assert publish(root, {"b/json/m": b"b2"}, None).load_all() == {"b/json/m": b"b2"}


def test_a_run_on_other_corpora_keeps_what_is_held_back(root):
    hold_back(root, {"a/json/m": b"a1"}, {"b/json/m": b"b1"})
    published = hold_back(root, {"a/json/m": b"a2"}, {}, ["a"])
    assert published.held_back().keys() == {"b"}
    assert published.load_held_back("b") == {"b/json/m": b"b1"}
    assert hold_back(root, {"b/json/m": b"b2"}, {}, ["b"]).held_back() == {}


def test_the_same_again_writes_no_version_and_old_ones_that_are_held_back_go(root):
    for n in range(5):
        hold_back(root, {}, {"b/json/m": b"%d" % n}, keep=2, grace_h=0)
    assert [name[:6] for name in versions(root)] == ["000004", "000005"]
    before = {path: path.stat().st_mtime_ns for path in (root / "pointers").iterdir()}
    hold_back(root, {}, {"b/json/m": b"4"}, keep=2, grace_h=0)
    assert {path: path.stat().st_mtime_ns for path in (root / "pointers").iterdir()} == before


def test_what_is_held_back_and_was_changed_is_refused(root):
    published = hold_back(root, {}, {"b/json/m": b"b1"})
    (path,) = root.glob("versions/*/b/json/m")
    path.write_bytes(b"?")
    with pytest.raises(DataError, match="was changed after it was published"):
        published.load_held_back("b")
