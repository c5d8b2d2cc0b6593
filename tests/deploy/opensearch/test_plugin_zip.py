"""A plugin's zip is looked at before a node is made for it."""

from __future__ import annotations

import zipfile

import engine_node
import pytest


@pytest.fixture
def plugin(tmp_path):
    path = tmp_path / "ltr.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("plugin-descriptor.properties", "name=ltr\nversion=3.6.0.0\nopensearch.version=3.6.0\n")
    return path


def test_a_plugin_says_what_it_was_built_for(plugin, tmp_path):
    assert engine_node.plugin_version(plugin, "opensearch") == "3.6.0"
    with pytest.raises(engine_node.NodeError, match="no plugin for elasticsearch"):
        engine_node.plugin_version(plugin, "elasticsearch")
    (tmp_path / "text").write_text("x")
    with pytest.raises(engine_node.NodeError, match="no plugin's zip"):
        engine_node.plugin_version(tmp_path / "text", "opensearch")


def test_a_plugin_for_another_version_stops_before_anything_is_fetched(plugin, tmp_path):
    with pytest.raises(engine_node.NodeError, match=r"is for opensearch 3\.6\.0, not 2\.19\.6"):
        engine_node.start(tmp_path / "node", "opensearch", "2.19.6", 1, plugin)
    assert not (tmp_path / "node").exists()
