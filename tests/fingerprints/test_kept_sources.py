"""What a source says is the same, whether it was read now or by an earlier process."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rankhammer.fingerprints import node_code
from rankhammer.fingerprints.import_closure import read_source
from rankhammer.fingerprints.node_code import KeptSources, usual_path

TEXTS = ["", "import a.b\nfrom . import c\nimport d as e\n", "x = 'scorer.py'\n", Path(__file__).read_text()]


def test_a_source_that_was_kept_is_the_one_that_was_read(tmp_path, monkeypatch):
    first = KeptSources(tmp_path / "new" / "sources.json")
    assert [first.read(text) for text in TEXTS] == [read_source(text) for text in TEXTS]
    first.keep()
    second = KeptSources(tmp_path / "new" / "sources.json")
    monkeypatch.setattr(node_code, "read_source", lambda text: pytest.fail("it was kept"))
    assert [second.read(text) for text in TEXTS] == [read_source(text) for text in TEXTS]


def test_sources_of_another_process_stay(tmp_path):
    path = tmp_path / "sources.json"
    for text in TEXTS:
        kept = KeptSources(path)
        kept.read(text)
        kept.keep()
    assert len(json.loads(path.read_text())) == len(TEXTS)
    assert [file.name for file in tmp_path.iterdir()] == ["sources.json"]


def test_a_full_file_begins_again_with_what_is_used(tmp_path, monkeypatch):
    monkeypatch.setattr(node_code, "_MOST", 2)
    path = tmp_path / "sources.json"
    for text in TEXTS[:3]:
        kept = KeptSources(path)
        kept.read(text)
        kept.keep()
    assert len(json.loads(path.read_text())) == 1


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_a_file_that_cannot_be_read_is_made_again(tmp_path, content):
    path = tmp_path / "sources.json"
    path.write_text(content)
    kept = KeptSources(path)
    assert kept.read(TEXTS[1]) == read_source(TEXTS[1])
    kept.keep()
    assert len(json.loads(path.read_text())) == 1


def test_a_folder_that_cannot_be_written_and_a_missing_home_stop_nothing(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "sources.json", None):
        kept = KeptSources(path)
        assert kept.read(TEXTS[1]) == read_source(TEXTS[1])
        kept.keep()

    def no_home():
        raise RuntimeError

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", no_home)
    assert usual_path("0") is None


def test_another_reader_keeps_a_file_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert usual_path("1") != usual_path("2")
