"""What commands have in common."""

from __future__ import annotations

import pytest

from rankhammer.cli.options import write_output
from rankhammer.errors import ConfigError


def test_a_file_is_written_with_the_folders_above_it(tmp_path):
    write_output(tmp_path / "a" / "b.html", "ü")
    assert (tmp_path / "a" / "b.html").read_bytes() == "ü".encode()


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=r"file/b\.html cannot be written: Not a directory|File exists"):
        write_output(tmp_path / "file" / "b.html", "")
