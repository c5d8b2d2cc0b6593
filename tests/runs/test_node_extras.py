"""Which extras nodes get: those of the rankers that a run may train."""

from __future__ import annotations

from pathlib import Path

import pytest

from rankhammer import settings
from rankhammer.config_loader import ConfigLoader
from rankhammer.errors import PluginError
from rankhammer.runs.node_extras import ranker_extras, with_extras
from rankhammer.yarn.settings import ClusterSettings, read_settings

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def training() -> dict:
    loader = ConfigLoader(str(ROOT / "conf"), env="test", **settings.CONFIG_LOADER_ARGS)
    return dict(loader["parameters"]["training"])


BLEND = {"name": "blend", "options": {"members": [{"name": "lightgbm"}, {"name": "neural"}]}}


@pytest.mark.parametrize(
    ("ranker", "extras"),
    [
        ({"name": "xgboost"}, ()),
        ({"name": "auto"}, ()),
        ({"name": "neural"}, ("neural",)),
        ({"name": "catboost"}, ("catboost",)),
        (BLEND, ("lightgbm", "neural")),
        ({"name": "selected", "options": {"n_features": 2, "ranker": {"name": "neural"}}}, ("neural",)),
    ],
)
def test_nodes_get_what_the_ranker_needs(training, ranker, extras):
    assert ranker_extras({"training": training | {"ranker": ranker}}) == extras


def test_candidates_of_a_choice_count(training):
    choice = {**training["choice"], "candidates": [{"name": "linear"}, {"name": "neural"}]}
    assert ranker_extras({"training": training | {"ranker": {"name": "auto"}, "choice": choice}}) == ("neural",)


def test_a_run_that_trains_nothing_needs_none_and_what_the_cluster_says_stays(training):
    parameters = {"training": training | {"ranker": {"name": "neural"}}}
    assert with_extras(ClusterSettings(), parameters, ["features"]).python.extras is None
    assert with_extras(ClusterSettings(), parameters, ["training"]).python.extras == ("neural",)
    fixed = read_settings({"python": {"extras": []}})
    assert with_extras(fixed, parameters, ["training"]).python.extras == ()


def test_what_is_wrong_with_parameters_is_said_elsewhere_but_a_ranker_that_is_none(training):
    assert ranker_extras({"training": {"n_trials": "many"}}) == ()
    assert ranker_extras({}) == ()
    with pytest.raises(PluginError, match="neurl"):
        ranker_extras({"training": training | {"ranker": {"name": "neurl"}}})
