"""Writes rankers in RankLib's format, which the Learning to Rank plugin loads, too."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import BaseModel, Field

from rankhammer.exporters.targets.elasticsearch_ltr import elasticsearch
from rankhammer.exporters.targets.ltr_models import LtrModel, RankLibTrees
from rankhammer.exporters.targets.ltr_plugin import LtrPlugin, LtrPluginOptions
from rankhammer.exporters.targets.model_files import verification
from rankhammer.exporters.targets.opensearch_ltr import VERSION, opensearch

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    models: ClassVar[Mapping[str, LtrModel[Any]]] = {"trees": RankLibTrees()}
    kinds: ClassVar[tuple[str, ...]] = tuple(models)

    def __init__(self, options: RankLibOptions) -> None:
        engine = _ENGINES[options.engine](options.version)
        proof = verification("file only", "RankLib's documented rules; RankLib itself has not run it")
        super().__init__(options, replace(engine, proof=proof))

    @property
    def target(self) -> str:
        """Format, engine and version, for example `ranklib-opensearch-3.6`."""
        return f"ranklib-{self._engine.name}-{self._engine.version}"
