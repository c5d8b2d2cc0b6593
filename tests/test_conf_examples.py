"""The examples in conf/local: nothing reads them as they are, and copied they are what the project takes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rankhammer import credentials
from rankhammer.config_loader import ConfigLoader
from rankhammer.settings import CONFIG_LOADER_ARGS

CONF = Path(__file__).parents[1] / "conf"
EXAMPLES = sorted((CONF / "local").glob("*.example"))


@pytest.fixture
def conf(tmp_path):
    (tmp_path / "base").symlink_to(CONF / "base")
    (tmp_path / "local").mkdir()
    for example in EXAMPLES:
        shutil.copy(example, tmp_path / "local")
    return tmp_path


def loader(conf: Path) -> ConfigLoader:
    return ConfigLoader(str(conf), env="local", **CONFIG_LOADER_ARGS)


def test_an_example_counts_for_nothing(conf):
    assert loader(conf)["globals"]["click_log"]["format"] == "parquet"


def test_copied_examples_are_taken(conf):
    assert len(EXAMPLES) == 2
    for example in EXAMPLES:
        shutil.copy(example, conf / "local" / example.stem)
    found = loader(conf)
    assert found["globals"]["click_log"]["options"]["columns"]["doc_id"] == "sku"
    assert found["catalog"]["click_log"]["file_format"] == "csv"
    for entry in found["credentials"].values():
        credentials.Login.model_validate(entry)
