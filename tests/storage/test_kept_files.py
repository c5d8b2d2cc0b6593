"""A file that can be made again is read only as it was written, and as long as it is of the same."""

from __future__ import annotations

import pytest

from rankhammer.storage.kept_files import KeptFile


def test_a_file_is_found_as_long_as_it_is_of_the_same(tmp_path):
    first = KeptFile(tmp_path / "kept", "documents of monday")
    assert first.find() is None
    first.write(b"one")
    assert first.find().read_bytes() == b"one"
    second = KeptFile(tmp_path / "kept", "documents of tuesday")
    assert second.find() is None
    second.write(b"two")
    assert first.find() is None
    assert [path.read_bytes() for path in (tmp_path / "kept").iterdir()] == [b"two"]


@pytest.mark.parametrize("content", [b"", b"on", b"One", b"one "])
def test_a_file_that_was_changed_or_cut_is_none(tmp_path, content):
    kept = KeptFile(tmp_path, "documents")
    kept.write(b"one")
    kept.find().write_bytes(content)
    assert kept.find() is None
    kept.write(b"one")
    assert kept.find().read_bytes() == b"one"


def test_where_nothing_can_be_kept_a_warning_says_so_and_the_work_goes_on(tmp_path, caplog):
    (tmp_path / "file").write_text("no folder")
    kept = KeptFile(tmp_path / "file" / "kept", "documents")
    kept.write(b"one")
    assert "cannot be kept, and is made again the next time" in caplog.text
    assert kept.find() is None
    kept = KeptFile(tmp_path, "documents")
    kept.write(b"one")
    path = kept.find()
    path.unlink()
    path.mkdir()
    assert kept.find() is None
    assert "cannot be read, and is made again" in caplog.text
