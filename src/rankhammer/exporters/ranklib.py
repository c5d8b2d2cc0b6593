"""Writes rankers in RankLib's format, which the Learning to Rank plugin loads, too."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from rankhammer.exporters.elasticsearch_ltr import elasticsearch
from rankhammer.exporters.ltr_plugin import LtrPlugin, LtrPluginOptions, definition_of
from rankhammer.exporters.nested_trees import TreeFormat
from rankhammer.exporters.opensearch_ltr import VERSION, opensearch
from rankhammer.exporters.proof import proved
from rankhammer.exporters.ranklib_xml import ranklib_text, read_node, read_trees

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.exporters.trees import Forest
    from rankhammer.feature_sets import FeatureSet

_ENGINES = {"opensearch": opensearch, "elasticsearch": elasticsearch}


class RankLibOptions(LtrPluginOptions):
    """Which engine's plugin the files are for."""

    engine: Literal["opensearch", "elasticsearch"] = Field("opensearch", description="engine with the plugin")
    version: str = Field("3.6", pattern=VERSION, description="of OpenSearch, or of the plugin for Elasticsearch")


class RankLib(LtrPlugin):
    """Model in RankLib's LambdaMART format (`model/ranklib`), feature set and example query for the LTR plugin.

    RankLib goes left when value <= threshold and takes an absent feature as 0.0, in every version of the plugin.

    Args:
        options: Checked `RankLibOptions`.
    """

    Options: ClassVar[type[BaseModel]] = RankLibOptions
    format = TreeFormat(read=read_node, ties_left=True)
    model_type = "model/ranklib"

    def __init__(self, options: RankLibOptions) -> None:
        engine = _ENGINES[options.engine](options.version)
        proof = proved("file only", "RankLib's documented rules; RankLib itself has not run it")
        super().__init__(options, replace(engine, rule="zero", proof=proof))

    @property
    def target(self) -> str:
        """Format, engine and version, for example `ranklib-opensearch-3.6`."""
        return f"ranklib-{self._engine.name}-{self._engine.version}"

    def definition(self, forest: Forest, needed: FeatureSet, constant: float) -> str:
        """Write the trees as RankLib saves them; features go by their ordinals in the stored set."""
        return ranklib_text(forest, {name: place for place, name in enumerate(needed.names, 1)}, constant)

    def all_trees(self, files: Mapping[str, bytes]) -> list[Any]:
        """Read the roots of all trees, and what their ordinals mean from feature_set.json."""
        stored = json.loads(files["feature_set.json"])["featureset"]["features"]
        return read_trees(definition_of(files), tuple(feature["name"] for feature in stored))
