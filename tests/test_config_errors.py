"""What is wrong in conf is told once, in plain words, with the file and the closest name."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml
from kedro.framework.project import _ProjectLogging
from kedro.io import DataCatalog

from rankhammer import plugins
from rankhammer.config_loader import ConfigLoader
from rankhammer.errors import ConfigError, PluginError
from rankhammer.runs.user_errors import report_user_errors, user_error
from rankhammer.settings import CONFIG_LOADER_ARGS

CONF = Path(__file__).parents[1] / "conf"


def loader(folder, **files: str) -> ConfigLoader:
    """The real base under an environment with these files."""
    if not (folder / "base").exists():
        shutil.copytree(CONF / "base", folder / "base")
    for name, content in {"mine/globals": "{}", **{f"mine/{name}": text for name, text in files.items()}}.items():
        path = folder / f"{name}.yml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content)
    return ConfigLoader(str(folder), env="mine", **CONFIG_LOADER_ARGS)


def refused(folder, **files: str) -> ConfigError:
    def read() -> None:
        found = loader(folder, **files)
        for kind in ("catalog", "parameters", "spark", "cluster", "deploy"):
            found[kind]

    with pytest.raises(Exception) as caught:  # noqa: PT011 - Kedro's or ours: what is told is looked at
        read()
    error = user_error(caught.value)
    assert isinstance(error, ConfigError), caught.value
    assert error.hint
    return error


@pytest.mark.parametrize(
    ("text", "key", "meant"),
    [
        ("clicklog: {path: x}", "clicklog", "click_log"),
        ("click_log: {loadargs: {}}", "click_log.loadargs", "load_args"),
        ("click_log: {option: {}}", "click_log.option", "options"),
        ("refrence_judgments: {path: null}", "refrence_judgments", "reference_judgments"),
        ("random_stat: 1", "random_stat", "random_state"),
        ("languag: german", "languag", "language"),
        ("paths: {rot: /x}", "paths.rot", "root"),
    ],
)
def test_an_unknown_key_of_globals_is_refused_with_the_one_that_was_meant(tmp_path, text, key, meant):
    error = refused(tmp_path, globals=text)
    assert f"globals.yml has no key '{key}'" in error.message
    assert f"Did you mean '{meant}'?" in error.hint


def test_keys_of_the_users_own_are_those_that_some_file_uses(tmp_path):
    own = "bucket: s3a://b\nlogs: {days: /logs}\nclick_log: {path: '${bucket}/x'}\n"
    read = loader(tmp_path, globals=own, catalog="mine: {type: MemoryDataset, metadata: '${globals:logs.days}'}")
    assert read["globals"]["click_log"]["path"] == "s3a://b/x"
    assert "'bucket'" in refused(tmp_path, globals="bucket: s3a://b").message


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("click_log: [a]", "click_log"),
        ("documents: {load_args: [header]}", "documents.load_args"),
        ("paths: data", "paths"),
        ("click_log: {path: 3}", "click_log.path"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_its_place(tmp_path, text, place):
    assert f"{place} is" in refused(tmp_path, globals=text).message


@pytest.mark.parametrize("name", ["globals", "catalog", "parameters", "parameters_x", "spark", "cluster", "deploy"])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1, 2\nb: 3", "line 2"),
        ("a:\n\tb: 1", "a tab stands where only spaces may"),
        ("- a\n- b\n", "holds a list"),
        ("a: 1\na: 2", "duplicate key"),
        ("a: ${nowhere.at_all}", "nowhere"),
    ],
)
def test_a_broken_file_is_named_whichever_it_is(tmp_path, name, text, message):
    error = refused(tmp_path, **{name: text})
    assert name.partition("_")[0] in error.message
    assert message in error.message
    assert "\n" not in error.message


def test_a_file_that_is_nested_too_deep_is_named(tmp_path):
    assert "no YAML" in refused(tmp_path, spark="[" * 500).message


def test_a_root_alone_moves_every_folder_and_the_lock(tmp_path):
    read = loader(tmp_path, globals="paths: {root: /x/mine}")
    paths = {entry["filepath"] for entry in read["catalog"].values() if entry.get("filepath")}
    written = {path for path in paths if "01_raw" not in path}
    assert {path for path in written if not path.startswith("/x/mine/")} == set()
    assert len({path.split("/")[3] for path in written}) == 6
    assert read["cluster"]["runs"]["root"] == "/x/mine"


def test_a_folder_that_is_named_stays_where_it_is_named(tmp_path):
    read = loader(tmp_path, globals="paths: {root: /x/mine, models: /y/models}")
    assert read["catalog"]["ranker"]["filepath"] == "/y/models/ranker"
    assert read["catalog"]["serps"]["filepath"] == "/x/mine/03_primary/serps"


def test_an_unknown_option_of_a_catalog_entry_names_the_closest(tmp_path):
    text = yaml.safe_dump({"serps": {"type": "rankhammer.datasets.TableDataset", "filepath": "x", "load_arg": {}}})
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Kedro's: what is told is looked at
        DataCatalog.from_config(loader(tmp_path, catalog=text)["catalog"])["serps"]
    error = user_error(caught.value)
    assert error is not None
    assert "'serps' has no option 'load_arg'" in error.message
    assert "Did you mean 'load_args'?" in error.hint


@pytest.mark.parametrize("kind", ["rankhammer.datasets.TabelDataset", "2026-01-01 of a TabelDataset"])
def test_an_unknown_class_of_a_catalog_entry_is_told_with_its_name(tmp_path, kind):
    text = yaml.safe_dump({"serps": {"type": kind, "filepath": "x"}})
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Kedro's: what is told is looked at
        DataCatalog.from_config(loader(tmp_path, catalog=text)["catalog"])["serps"]
    error = user_error(caught.value)
    assert error is not None
    assert "'serps'" in error.message
    assert "TabelDataset" in error.message
    assert "type" in error.message


def test_what_a_model_refuses_is_told_once_and_without_pydantics_words(tmp_path, caplog, capsys):
    from kedro.validation import ParameterValidator

    from rankhammer.pipeline_registry import register_pipelines

    given = loader(tmp_path, parameters="training: {n_trialss: 3, n_rounds: many}\ningestion: {max_bad_share: 2}")

    def act() -> None:
        ParameterValidator(register_pipelines()).validate_raw_params(given["parameters"])

    assert report_user_errors(act) == 2
    printed = capsys.readouterr().err
    assert "there is no key 'training.n_trialss'" in printed
    assert "Did you mean 'n_trials'?" in printed
    assert "training.n_rounds: it should be a valid integer" in printed
    assert "ingestion.max_bad_share: it should be less than or equal to 1" in printed
    assert "pydantic" not in printed
    assert "type=" not in printed
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("text", ["paths: {root: null}", "paths: {root: ''}", "paths:\n  root: x\n  reporting:"])
def test_a_folder_without_a_name_is_refused(tmp_path, text):
    error = refused(tmp_path, globals=text)
    assert "globals.yml: paths." in error.message
    assert "expected a folder" in error.message


def test_a_login_in_load_args_stays_a_name(tmp_path):
    load_args = "{indices: [ubi], snapshots: x, credentials: search}"
    click_log = f"click_log: {{path: 'http://127.0.0.1:1', format: opensearch, load_args: {load_args}}}"
    found = loader(tmp_path, globals=click_log, credentials="search: {username: a, password: hunter2}")
    entry = {"click_log": found["catalog"]["click_log"]}
    dataset = DataCatalog.from_config(entry, found["credentials"])["click_log"]
    with pytest.raises(ConfigError) as caught:
        dataset.require_found()
    # Nobody has said where secrets come from, so the name is looked up in vain.
    assert caught.value.message == "There are no credentials 'search'."


@pytest.mark.parametrize(
    "value", ["*hunter2", "!hunter2 x", "${hunter2}", "{hunter2: 1, hunter2: 2}", "${oc.env:hunter2}"]
)
def test_credentials_that_cannot_be_read_are_not_quoted(tmp_path, value):
    with pytest.raises(ConfigError) as caught:
        loader(tmp_path, credentials=f"search:\n  password: {value}\n")["credentials"]
    assert "hunter2" not in str(caught.value)
    assert "credentials" in caught.value.message


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([1], "'serps' is no dataset: expected keys with values"),
        (1.5, "'serps' is no dataset: expected keys with values"),
        ({"type": "MemoryDataset", "validator": 3}, "'serps' is no dataset: validator: expected a class path"),
        ({"type": "MemoryDataset", "validator": {"class": "x", "options": "y"}}, "validator: 'options' must be"),
    ],
)
def test_a_catalog_entry_of_another_shape_is_refused_with_its_name(tmp_path, entry, message):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Kedro's: what is told is looked at
        DataCatalog.from_config(loader(tmp_path, catalog=yaml.safe_dump({"serps": entry}))["catalog"])
    error = user_error(caught.value)
    assert isinstance(error, ConfigError)
    assert message in error.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("version: [", "line 1, column 11"),
        ("", "does not hold keys with values"),
        ("[a]", "does not hold keys with values"),
        ("{version: 1, disable_existing_loggers: false, handlers: {c: {class: logging.Nope}}}", "'Nope' not found"),
        (
            "{version: 1, disable_existing_loggers: false, root: {handlers: [nowhere]}}",
            "Unable to add handler 'nowhere'",
        ),
    ],
)
def test_what_is_wrong_with_the_logging_configuration_is_told_in_words(tmp_path, monkeypatch, text, reason):
    (tmp_path / "logging.yml").write_text(text)
    monkeypatch.setenv("KEDRO_LOGGING_CONFIG", str(tmp_path / "logging.yml"))
    with pytest.raises(Exception) as caught:  # noqa: PT011 - PyYAML's or logging's: what is told is looked at
        _ProjectLogging()
    error = user_error(caught.value)
    assert isinstance(error, ConfigError)
    assert error.message.startswith(f"{tmp_path}/logging.yml cannot be used: ")
    assert reason in error.message


def test_the_closest_name_that_a_validator_knows_stands_in_the_hint_once():
    with pytest.raises(PluginError) as caught:
        plugins.create("click_logs", plugins.PluginSpec(name="impressions", options={"time_zone": "ESTT"}))
    assert caught.value.message.endswith("time_zone: there is no time zone 'ESTT'.")
    assert caught.value.hint.startswith("Did you mean 'EST'? Its options are: ")


def test_a_folder_without_conf_is_no_project_and_an_environment_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Kedro's: what is told is looked at
        ConfigLoader(str(tmp_path / "conf"), env="base", **CONFIG_LOADER_ARGS)["parameters"]
    error = user_error(caught.value)
    assert (error.message, "rankhammer new" in error.hint) == (f"{tmp_path} is not in a project.", True)
    shutil.copytree(CONF / "base", tmp_path / "conf/base")
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Kedro's: what is told is looked at
        ConfigLoader(str(tmp_path / "conf"), env="nope", **CONFIG_LOADER_ARGS)["parameters"]
    assert "conf/nope" in user_error(caught.value).message
