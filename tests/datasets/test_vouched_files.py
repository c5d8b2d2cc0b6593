"""A marker vouches for its folder's files: what was changed since is refused, and never read as if it were whole."""

from __future__ import annotations

import json
import os
import shutil

import pytest

from rankhammer.datasets import FilesDataset, PublishedDataset, TableDataset, vouched_files
from rankhammer.datasets.handoff import FORMAT, MARKER
from rankhammer.errors import DataError
from rankhammer.runs.user_errors import user_error
from rankhammer.storage.base import StoredFile


@pytest.fixture(scope="module")
def written(spark, tmp_path_factory):
    """A table of two partition folders, as a run leaves it."""
    folder = tmp_path_factory.mktemp("vouched") / "pairs"
    dataset = TableDataset(filepath=str(folder), save_args={"partitionBy": ["corpus"]})
    dataset.save(spark.range(2000).selectExpr("if(id % 2 = 0, 'a', 'b') AS corpus", "id").repartition(2))
    return folder


@pytest.fixture
def table(written, tmp_path):
    """A copy of it, as `cp -a` makes one."""
    shutil.copytree(written, tmp_path / "pairs")
    return TableDataset(filepath=str(tmp_path / "pairs"), save_args={"partitionBy": ["corpus"]})


def parts(folder) -> list:
    return sorted(folder.rglob("part-*"))


def delete(files) -> None:
    files[0].unlink()


def empty(files) -> None:
    files[0].write_bytes(b"")


def cut(files) -> None:
    files[0].write_bytes(files[0].read_bytes()[:-1])


def double(files) -> None:
    shutil.copy(files[0], files[0].with_name(f"part-9{files[0].name}"))


def swap(files) -> None:
    between = files[0].with_name(".between")
    files[0].rename(between)
    files[-1].rename(files[0])
    between.rename(files[-1])


def rename(files) -> None:
    files[0].rename(files[0].with_name(f"part-9{files[0].name}"))


def flip(files) -> None:
    content = bytearray(files[0].read_bytes())
    content[len(content) // 3] ^= 1
    files[0].write_bytes(content)


CHANGES = [delete, empty, cut, double, swap, rename, flip]


@pytest.mark.parametrize("change", CHANGES)
def test_a_table_whose_files_were_changed_is_refused_and_does_not_exist(table, tmp_path, change):
    folder = tmp_path / "pairs"
    change(parts(folder))
    for hidden in folder.rglob(".*.crc"):
        hidden.unlink()
    with pytest.raises(Exception, match=r"is not as it was written: .*part-") as caught:
        table.load()
    error = user_error(caught.value)
    assert isinstance(error, DataError)
    assert "--only-missing-outputs" in error.hint
    assert not table.exists()


@pytest.mark.parametrize("change", CHANGES)
def test_a_folder_of_files_that_were_changed_is_refused_and_does_not_exist(tmp_path, change):
    dataset = FilesDataset(filepath=str(tmp_path / "ranker"))
    dataset.save({"a/part-model": b"aaaa", "b/part-model": b"bbbb"})
    change(parts(tmp_path / "ranker"))
    assert not dataset.exists()
    with pytest.raises(Exception, match=r"is not as it was written: .*part-"):
        dataset.load()


@pytest.mark.parametrize("change", CHANGES)
def test_a_published_version_that_was_changed_is_refused_and_publishing_the_same_again_mends_it(tmp_path, change):
    dataset, files = PublishedDataset(filepath=str(tmp_path / "out")), {"a/t/part-1": b"aaaa", "a/t/part-2": b"bbbb"}
    dataset.save(files)
    change(parts(tmp_path / "out"))
    assert not dataset.exists()
    with pytest.raises(Exception, match=r"lacks|was not published|was changed"):
        dataset.load()
    dataset.save(files)
    assert dataset.load() == files
    assert dataset.exists()


def keep_time(file, change) -> None:
    """Change a file as a dying disk does: its size and time stay."""
    before = file.stat()
    change([file])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_flipped_bit_that_leaves_no_trace_is_found_when_rows_are_read_and_when_all_is_verified(table, tmp_path):
    file = parts(tmp_path / "pairs")[0]
    keep_time(file, flip)
    (file.parent / f".{file.name}.crc").unlink()
    with pytest.raises(Exception, match="FAILED_READ_FILE") as caught:
        table.load().collect()
    error = user_error(caught.value)
    assert isinstance(error, DataError)
    assert f"{file} cannot be read (could not verify page integrity" in error.message
    assert f"Remove file://{tmp_path}/pairs" in error.hint
    assert [fault.split(" ", 1)[1] for fault in table.handoff.verify()] == ["has another content than was written"]


def test_a_flipped_bit_in_a_folder_of_files_is_found_when_it_is_read(tmp_path):
    dataset = FilesDataset(filepath=str(tmp_path / "ranker"))
    dataset.save({"a/model": b"aaaa", "b/model": b"bbbb"})
    keep_time(tmp_path / "ranker/a/model", flip)
    with pytest.raises(Exception, match="a/model has another content"):
        dataset.load()


def test_a_copy_whose_times_differ_is_read_and_each_file_is_compared_once(table, tmp_path, monkeypatch):
    for file in (tmp_path / "pairs").rglob("*"):
        os.utime(file)
    assert table.exists()
    monkeypatch.setattr(type(table._storage), "checksum", lambda *_: pytest.fail("compared again"))
    assert table.load().count() == 2000
    assert table.handoff.fault() == ""


def test_what_nobody_has_touched_is_not_read_to_be_loaded(table, monkeypatch):
    monkeypatch.setattr(type(table._storage), "checksum", lambda *_: pytest.fail("read"))
    assert table.load().count() == 2000


def test_a_marker_of_an_earlier_version_is_taken_with_a_word(table, tmp_path, caplog):
    marker = tmp_path / "pairs" / MARKER
    content = json.loads(marker.read_text())
    del content["files"], content["format"]
    marker.write_text(json.dumps(content))
    assert table.load().count() == 2000
    assert f"{marker} is of an earlier version; the files of 'pairs' are read unchecked." in caplog.text
    assert table.handoff.verify() == [f"{MARKER} is of an earlier version, and says nothing of the files"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", "is empty"),
        ('{"name": "pa', "is cut off"),
        ("\x00\xff", "is cut off"),
        ("[1]", "holds something else"),
        ('{"a": 1}', "holds no fingerprint"),
        (json.dumps({"name": "n", "digest": 3, "node": "n"}), "holds no fingerprint"),
        (json.dumps({"format": FORMAT + 1}), "is of a newer version"),
    ],
)
def test_a_marker_that_cannot_be_used_counts_as_missing_with_one_warning(table, tmp_path, caplog, content, fault):
    (tmp_path / "pairs" / MARKER).write_text(content)
    assert not table.exists()
    with pytest.raises(Exception, match="missing or was not finished"):
        table.load()
    assert caplog.text.count(fault) == 1


def test_a_change_to_another_corpus_stops_no_run_on_this_one_and_is_found_when_all_is_read(tmp_path):
    from rankhammer.datasets.handoff import Fingerprint

    dataset = FilesDataset(filepath=str(tmp_path / "ranker"))
    dataset.save({"a/model": b"a1", "b/model": b"b1"})
    dataset.handoff.expected = Fingerprint("ranker", "1", "train", choices={"fold": ["a"]})
    dataset.save({"a/model": b"a2"})
    flip([tmp_path / "ranker/b/model"])
    assert dataset.load() == {"a/model": b"a2"}
    assert dataset.handoff.verify() == ["b/model has another content than was written"]
    with pytest.raises(Exception, match="b/model has another content"):
        dataset.load_all()


def test_what_spark_does_not_read_counts_for_nothing():
    hidden = ["_SUCCESS", ".part-1.crc", "_temporary/0/part-1", "corpus=a/.part-1", MARKER, "_started"]
    assert not any(map(vouched_files.is_read_by_spark, hidden))
    assert all(map(vouched_files.is_read_by_spark, ["part-1", "corpus=_a/part-1", "_corpus=a/part-1", "_columns.json"]))


class Listed:
    """An object store: its listing has a tag of each object, and times of whole seconds."""

    def __init__(self, **tags: str) -> None:
        self._tags = tags

    def listing(self, _: str) -> dict[str, StoredFile]:
        return {name: StoredFile(4, 1000, tag) for name, tag in self._tags.items()}

    def checksum(self, _: str) -> str:
        raise AssertionError("asked for one by one")


def test_the_tags_of_a_listing_are_compared_whatever_the_times_say():
    message = {"a": {"bytes": 4, "changed": 1000, "checksum": "etag:1"}, "b": {"bytes": 4, "changed": 999}}
    assert vouched_files.fault(Listed(a="etag:1", b="etag:9"), "x", message, lambda _: True) == ""
    found = vouched_files.fault(Listed(a="etag:2", b="etag:9"), "x", message, lambda _: True)
    assert found == "a has another content than was written"
