"""What conf says is checked as a whole before the first node: names, models, and single values."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from rankhammer.config_loader import ConfigLoader
from rankhammer.errors import ConfigError
from rankhammer.pipeline_registry import every_node, register_pipelines, short_name
from rankhammer.runs.parameters import check_parameters
from rankhammer.settings import CONFIG_LOADER_ARGS

CONF = Path(__file__).parents[2] / "conf"


def loaded(folder, **files) -> dict:
    """Parameters of conf/base under an environment with these files."""
    (folder / "base").symlink_to(CONF / "base")
    (folder / "local").mkdir()
    for name, content in files.items():
        (folder / "local" / f"{name}.yml").write_text(yaml.safe_dump(content))
    return ConfigLoader(str(folder), env="local", **CONFIG_LOADER_ARGS)["parameters"]


def checked(given: dict) -> dict:
    whole = register_pipelines()["__default__"]
    return check_parameters(given, whole, known=every_node().inputs())


def test_the_parameters_of_base_are_sound_and_complete(tmp_path):
    values = checked(loaded(tmp_path))
    assert values["params:random_state"] == 42
    assert values["params:training"].headline == "ndcg@10"


def test_one_language_reaches_the_log_and_the_reference_judgments(tmp_path):
    given = loaded(tmp_path, globals={"language": "german"})
    assert checked(given)["params:language"] == "german"
    readers = {
        short_name(node) for node in register_pipelines()["__default__"].nodes if "params:language" in node.inputs
    }
    assert readers == {"ingest", "build_training_matrix", "evaluate", "compare_with_current"}
    assert not [stage for stage, values in given.items() if isinstance(values, dict) and "language" in values]


@pytest.mark.parametrize("wrong", ["day", {"time": 0.9}, None])
def test_what_nothing_can_be_held_out_by_is_refused(tmp_path, wrong):
    with pytest.raises(ConfigError, match=r"'holdout' is .*expected") as caught:
        checked(loaded(tmp_path) | {"holdout": wrong})
    assert "conf/<env>/parameters/run.yml" in caught.value.hint


def test_a_mistyped_group_of_parameters_is_not_ignored(tmp_path):
    with pytest.raises(ConfigError, match="'trainng'") as caught:
        checked(loaded(tmp_path, parameters={"trainng": {"n_trials": 3}}))
    assert "Did you mean 'training'?" in caught.value.hint


@pytest.mark.parametrize(
    ("source", "feature"),
    [
        ({"name": "embedded", "options": {}}, {"type": "raw", "opensearch": {"match_all": {}}}),
        ({"name": "elasticsearch", "options": {"url": "http://127.0.0.1:9"}}, {"type": "raw", "solr": "{!lucene}x"}),
        ({"name": "solr", "options": {"url": "http://127.0.0.1:9"}}, {"type": "matched_terms", "field": "title"}),
    ],
)
def test_a_feature_that_the_source_cannot_compute_stops_a_run_before_its_first_node(tmp_path, source, feature):
    given = loaded(tmp_path)
    given["feature_set"]["features"] = [{"name": "mine", **feature}]
    given["features"]["source"] = source
    with pytest.raises(ConfigError, match="Feature 'mine'"):
        checked(given)


@pytest.mark.parametrize("wrong", [-1, "abc", 1 << 63, 4.5])
def test_a_seed_that_cannot_be_one_is_refused(tmp_path, wrong):
    with pytest.raises(ConfigError, match="'random_state'"):
        checked(loaded(tmp_path) | {"random_state": wrong})


def test_a_language_without_a_stemmer_names_the_closest(tmp_path):
    with pytest.raises(ConfigError, match="klingon"):
        checked(loaded(tmp_path, globals={"language": "klingon"}))


@pytest.mark.parametrize(
    ("name", "taken"), [("vespa", "trees, neural and mixed"), ("ranklib", "trees"), ("elastic_native", "trees")]
)
def test_a_target_for_trees_is_refused_where_training_may_choose_another_ranker(tmp_path, name, taken):
    given = loaded(tmp_path)
    given["export"]["targets"] = [{"name": name, "options": {}}]
    with pytest.raises(
        ConfigError, match=f"Target '{name}' takes {taken} alone, and training.ranker may be 'baseline'"
    ):
        checked(given)
    given["training"]["ranker"] = {"name": "xgboost", "options": {}}
    checked(given)
