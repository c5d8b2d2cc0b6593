"""A value of the command line fills a place in any file of conf, globals.yml too."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankhammer import settings
from rankhammer.config_loader import ConfigLoader, without_variables
from rankhammer.errors import ConfigError
from rankhammer.runs.user_errors import user_error

CONF = Path(__file__).parents[1] / "conf"


def load(tmp_path, **params):
    (tmp_path / "base").mkdir()
    (tmp_path / "base/globals.yml").write_text(
        "day: ${runtime_params:day}\nlog: {path: 'hdfs:///logs/${day}'}\nrun: ${runtime_params:run, none}\n"
    )
    (tmp_path / "base/catalog.yml").write_text("log: {type: MemoryDataset, metadata: {path: '${globals:log.path}'}}\n")
    return ConfigLoader(str(tmp_path), base_env="base", default_run_env="base", runtime_params=params)


def test_a_date_goes_into_an_inputs_path(tmp_path):
    loader = load(tmp_path, day="2026-11-21")
    assert loader["catalog"]["log"]["metadata"]["path"] == "hdfs:///logs/2026-11-21"
    assert loader["globals"]["run"] == "none"


def test_a_value_that_is_missing_is_named_with_the_option_that_gives_it(tmp_path):
    with pytest.raises(Exception, match="day") as caught:
        load(tmp_path)
    error = user_error(caught.value)
    assert isinstance(error, ConfigError)
    assert "--params day=" in error.hint


def test_a_value_that_fills_a_place_is_no_parameter_of_a_stage_and_a_typo_is_one(tmp_path):
    variables = load(tmp_path, day="x", dya="y").variables
    assert without_variables({"day": "x", "dya": "y", "training": {}}, variables) == {"dya": "y", "training": {}}


@pytest.mark.parametrize("env", sorted(path.parent.name for path in CONF.glob("*/globals.yml")))
def test_an_environment_writes_nothing_into_the_folders_of_another(env):
    options = settings.CONFIG_LOADER_ARGS
    loader = ConfigLoader(str(CONF), env=env, runtime_params={"run": "1"}, **options)
    paths = loader["globals"]["paths"]
    published = loader["catalog"]["exported_model"]["filepath"]
    assert published == f"{paths.get('published', paths['model_output'])}/exported_model"
    assert paths["reporting"].startswith(f"{paths['root']}/")
    assert loader["cluster"]["runs"]["root"] == paths["root"]
