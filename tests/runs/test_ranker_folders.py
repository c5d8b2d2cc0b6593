"""A path that holds no ranker is refused with what is there, and with the folders that were meant."""

from __future__ import annotations

import pytest

from rankhammer.errors import ConfigError, DataError
from rankhammer.runs.ranker_folders import is_folder, read_folder

WHOLE = ("manifest.json", "feature_set.json", "sample_vectors.json")


@pytest.fixture
def folder(tmp_path):
    """The hand-off of two corpora, of which one ranker is whole by its names."""
    for corpus in ("shop", "wiki"):
        (tmp_path / "ranker" / corpus).mkdir(parents=True)
        for name in (*WHOLE, "model.ubj"):
            (tmp_path / "ranker" / corpus / name).write_text("{}")
    (tmp_path / "exported").mkdir()
    (tmp_path / "exported/model.json").write_text("{}")
    (tmp_path / "empty").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("path", "message", "hint"),
    [
        ("nowhere", "There is no folder", "rankhammer rankers"),
        ("ranker/shop/model.ubj", "is a file; a ranker is a folder", "rankhammer rankers"),
        ("ranker", "it lacks model.ubj or model.json, manifest.json", "ranker/shop, "),
        ("exported/", "it lacks manifest.json, feature_set.json, sample_vectors.json; found: model.json", "06_models"),
        ("empty", "found: nothing", "06_models"),
    ],
)
def test_what_is_no_ranker_is_refused_with_what_is_there(folder, path, message, hint):
    with pytest.raises(ConfigError) as caught:
        read_folder(f"{folder}/{path}", None)
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_files_that_are_no_ranker_are_refused(folder):
    with pytest.raises(DataError, match="holds no ranker that can be read"):
        read_folder(str(folder / "ranker/shop"), None)


def test_an_id_is_no_path_and_a_folder_with_a_model_is_one(folder, monkeypatch):
    monkeypatch.chdir(folder / "ranker")
    assert is_folder("shop")
    assert is_folder("some/where")
    monkeypatch.chdir(folder)
    assert is_folder("ranker")
    (folder / "current").mkdir()
    assert [name for name in ("3f9c2a61d04b", "3f", "current", "typo") if is_folder(name)] == []
