"""Folders that are copied as versions: what counted stays until a copy is complete."""

from __future__ import annotations

import os

import pytest

from rankhammer.errors import ConfigError, DataError
from rankhammer.storage.folder_copies import copy_folder
from rankhammer.storage.publication import VersionStore, follow


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "out"
    write(folder, {"day=1/part-0.parquet": "a" * 100, "day=2/part-0.parquet": "b" * 10, "_SUCCESS": ""})
    return folder


def write(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def copy(source, root, on_progress=lambda _arrived, _total: None, **options):
    return copy_folder(str(source), str(root), on_progress=on_progress, **options)


def current(root):
    folder = follow(f"{root}/current")
    return {os.path.relpath(f"{at}/{name}", folder) for at, _, names in os.walk(folder) for name in names}


def test_a_copy_is_a_version_with_every_file_and_a_second_one_is_the_same(source, tmp_path):
    write(source, {".part-0.parquet.crc": "x"})
    seen = []
    found = copy(source, tmp_path / "to", lambda *at: seen.append(at))
    assert (found.n_files, found.n_bytes, found.n_copied) == (3, 110, 3)
    assert seen[0] == (0, 110)
    assert seen[-1] == (110, 110)
    assert current(tmp_path / "to") == {"day=1/part-0.parquet", "day=2/part-0.parquet", "_SUCCESS"}
    again = copy(source, tmp_path / "to")
    assert (again.version, again.n_copied) == (found.version, 0)
    assert VersionStore(str(tmp_path / "to")).newest().number == 1


def test_a_changed_folder_is_a_new_version_and_old_ones_go(source, tmp_path):
    root = tmp_path / "to"
    names = []
    for text in "cdef":
        write(source, {"day=3/part-0.parquet": text})
        names.append(copy(source, root, keep=2).version)
    assert sorted(os.listdir(root / "versions")) == names[-2:]
    assert (root / "current" / "day=3" / "part-0.parquet").read_text() == "f"


def test_what_a_killed_copy_has_left_is_gone_on_with(source, tmp_path):
    first = copy(source, tmp_path / "a")
    # As it would be after the first file, and half of the second one.
    left = tmp_path / "b" / "versions" / first.version
    write(left, {"day=1/part-0.parquet": "a" * 100, "day=2/part-0.parquet": "bb"})
    found = copy(source, tmp_path / "b")
    assert (found.version, found.n_copied) == (first.version, 2)
    assert (left / "day=2" / "part-0.parquet").read_text() == "b" * 10


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"_temporary/0/part-1": "x"}, "half-written: it holds _temporary/0/part-1"),
        ({f".part-7.{'0' * 32}": "x"}, "half-written"),
    ],
)
def test_a_folder_that_somebody_is_writing_is_refused(source, tmp_path, files, said):
    write(source, files)
    with pytest.raises(DataError, match=said):
        copy(source, tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_nothing_an_empty_folder_and_a_file_are_refused(source, tmp_path):
    (tmp_path / "empty").mkdir()
    for path in ("nothing", "empty", "out/_SUCCESS"):
        with pytest.raises(DataError, match="holds no file"):
            copy(tmp_path / path, tmp_path / "to")


@pytest.mark.parametrize("pair", [("out", "out/to"), ("out/day=1", "out"), ("out", "out")])
def test_folders_that_lie_in_each_other_are_refused(source, tmp_path, pair):
    with pytest.raises(ConfigError, match="lie in each other"):
        copy(*(tmp_path / name for name in pair))


def test_a_folder_that_changes_meanwhile_does_not_count(source, tmp_path):
    copy(source, tmp_path / "to")
    before = current(tmp_path / "to")
    write(source, {"day=3/part-0.parquet": "c"})
    with pytest.raises(DataError, match="was changed while it was copied"):
        copy(source, tmp_path / "to", lambda arrived, _: write(source, {"day=4/part-0.parquet": str(arrived)}))
    assert current(tmp_path / "to") == before


def test_of_two_who_publish_one_is_told(source, tmp_path):
    other = tmp_path / "other"
    write(other, {"part-0.parquet": "of somebody else"})
    is_done = []

    def publish_once(_arrived, _total):
        if not is_done:
            is_done.append(True)
            copy(other, tmp_path / "to")

    with pytest.raises(DataError, match="somebody published there"):
        copy(source, tmp_path / "to", publish_once)
    assert current(tmp_path / "to") == {"part-0.parquet"}
