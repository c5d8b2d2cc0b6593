"""What `kedro viz` draws: layers in each pipeline, one box a stage, tables and parameters under their own names."""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog

from rankhammer.config_loader import ConfigLoader
from rankhammer.pipeline_registry import (
    BRANCHES,
    COMPOSITES,
    ON_DEMAND,
    STAGES,
    full_names,
    register_pipelines,
    short_name,
)
from rankhammer.settings import CONFIG_LOADER_ARGS

CONF = Path(__file__).parents[1] / "conf"
PIPELINES = (*STAGES, *BRANCHES, *COMPOSITES)
pytest.importorskip("kedro_viz", reason="the extra `viz` is not installed")


@cache
def drawn() -> Any:
    """What kedro-viz makes of the project, without a server."""
    from kedro_viz.data_access.managers import DataAccessManager
    from kedro_viz.server import populate_data

    loader = ConfigLoader(str(CONF), **{**CONFIG_LOADER_ARGS, "default_run_env": "base"})
    manager = DataAccessManager()
    populate_data(manager, DataCatalog.from_config(loader["catalog"]), register_pipelines(), {})
    return manager


@pytest.mark.parametrize("name", PIPELINES)
def test_each_pipeline_has_layers(name, caplog):
    # As the page's server does: the box of a stage stands between the layers of what it reads and writes.
    drawn().create_modular_pipelines_tree_for_registered_pipeline(name)
    with caplog.at_level(logging.WARNING):
        layers = drawn().get_sorted_layers_for_registered_pipeline(name)
    assert layers, caplog.text
    assert "circular" not in caplog.text


def test_the_layers_of_the_whole_line_stand_in_the_order_of_the_data_folders():
    layers = drawn().get_sorted_layers_for_registered_pipeline("__default__")
    line = ["raw", "primary", "feature", "model_input", "models", "model_output", "reporting"]
    assert sorted(layers) == sorted(line)
    assert [layer for layer in layers if layer != "reporting"] == line[:-1]


def test_the_whole_line_collapses_to_its_stages():
    tree = drawn().create_modular_pipelines_tree_for_registered_pipeline("__default__")
    assert {name for name in tree if name != "__root__"} == {*STAGES, *BRANCHES} - ON_DEMAND


def test_tables_and_parameters_keep_their_names():
    whole = register_pipelines()["__default__"]
    assert not [name for name in whole.datasets() if "." in name]


def test_a_node_is_found_by_its_name_with_and_without_its_stage():
    assert full_names(["judge", "labeling.judge", "lable"]) == ("labeling.judge", "labeling.judge", "lable")
    names = [short_name(node) for node in register_pipelines()["__default__"].nodes]
    assert len(names) == len({*names})
