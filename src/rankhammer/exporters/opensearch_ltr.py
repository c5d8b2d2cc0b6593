"""Writes rankers for OpenSearch's Learning to Rank plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, Field

from rankhammer.exporters import ltr_json
from rankhammer.exporters.ltr_plugin import LtrEngine, LtrPlugin, LtrPluginOptions, definition_of
from rankhammer.exporters.missing_values import opensearch_rule
from rankhammer.exporters.nested_trees import TreeFormat
from rankhammer.exporters.proof import proved

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.exporters.trees import Forest
    from rankhammer.feature_sets import FeatureSet

VERSION = r"^\d+\.\d+(\.\d+)*$"


class OpenSearchLtrOptions(LtrPluginOptions):
    """Which OpenSearch the files are for."""

    version: str = Field("3.6", pattern=VERSION, description="OpenSearch version; sets the missing rule")


class XGBoostJsonModel(LtrPlugin):
    """A ranker as the plugin's `model/xgboost+json`: goes left when value < threshold, in float32."""

    format = TreeFormat(read=ltr_json.read_node)
    model_type = "model/xgboost+json"

    def definition(self, forest: Forest, needed: FeatureSet, constant: float) -> str:  # noqa: ARG002 - has names
        """Write the trees as XGBoost dumps them; features go by their names."""
        return ltr_json.definition(forest, last=(constant,))

    def all_trees(self, files: Mapping[str, bytes]) -> list[Any]:
        """Read the roots of all trees as strictly as the plugin does.

        Raises:
            ExportError: A key is missing or superfluous, or children stand in the wrong order.
        """
        return ltr_json.parse(definition_of(files))


class OpenSearchLtr(XGBoostJsonModel):
    """Model, feature set and example query for OpenSearch's Learning to Rank plugin.

    Args:
        options: Checked `OpenSearchLtrOptions`.
    """

    Options: ClassVar[type[BaseModel]] = OpenSearchLtrOptions

    def __init__(self, options: OpenSearchLtrOptions) -> None:
        super().__init__(options, opensearch(options.version))

    @property
    def target(self) -> str:
        """Engine, format and version, for example `opensearch_ltr-3.6`."""
        return f"opensearch_ltr-{self._engine.version}"


def has_bm25_factor(version: str) -> bool:
    """Say whether OpenSearch at a version such as "2.19" multiplies BM25 by k1 + 1."""
    return int(version.split(".")[0]) < 3


def opensearch(version: str) -> LtrEngine:
    """Describe OpenSearch at a version such as "2.19"."""
    return LtrEngine(
        name="opensearch",
        plugin="opensearch-ltr",
        version=version,
        rule=opensearch_rule(version),
        bm25_warning="OpenSearch 2 multiplies BM25 by 2.2 (k1 + 1), OpenSearch 3 does not: a ranker trained on values "
        "without the factor ranks otherwise there."
        if has_bm25_factor(version)
        else "",
        proof=proved("contract", "a stand-in that answers and scores as nodes with the plugin were seen to"),
    )
