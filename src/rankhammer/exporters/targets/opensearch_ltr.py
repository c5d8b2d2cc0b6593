"""Writes rankers for OpenSearch's Learning to Rank plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, Field

from rankhammer.exporters.ir.with_missing_rule import opensearch_rule
from rankhammer.exporters.targets.ltr_models import LinearModel, LtrModel, XGBoostJson
from rankhammer.exporters.targets.ltr_plugin import LtrEngine, LtrPlugin, LtrPluginOptions
from rankhammer.exporters.targets.model_files import verification

if TYPE_CHECKING:
    from collections.abc import Mapping

PLUGIN_MODELS: Mapping[str, LtrModel[Any]] = {"trees": XGBoostJson(), "linear": LinearModel()}
"""Model types that both products' plugins load."""
VERSION = r"^\d+\.\d+(\.\d+)*$"


class OpenSearchLtrOptions(LtrPluginOptions):
    """Which OpenSearch the files are for."""

    version: str = Field("3.6", pattern=VERSION, description="OpenSearch version; sets the missing rule")


class OpenSearchLtr(LtrPlugin):
    """Model, feature set and example query for OpenSearch's Learning to Rank plugin.

    Args:
        options: Checked `OpenSearchLtrOptions`.
    """

    Options: ClassVar[type[BaseModel]] = OpenSearchLtrOptions
    models: ClassVar[Mapping[str, LtrModel[Any]]] = PLUGIN_MODELS

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
        "without the factor will rank differently."
        if has_bm25_factor(version)
        else "",
        proof=verification("contract", "a stand-in that answers and scores as nodes with the plugin were seen to"),
    )
