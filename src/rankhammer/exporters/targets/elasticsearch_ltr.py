"""Writes rankers for the o19s Learning to Rank plugin of Elasticsearch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from rankhammer.exporters.ir.with_missing_rule import elasticsearch_rule
from rankhammer.exporters.targets.ltr_plugin import LtrEngine, LtrPlugin, LtrPluginOptions
from rankhammer.exporters.targets.model_files import verification
from rankhammer.exporters.targets.opensearch_ltr import PLUGIN_MODELS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel

    from rankhammer.exporters.targets.ltr_models import LtrModel

VERSION = r"^\d+\.\d+\.\d+$"


BM25_WARNING = (
    "Elasticsearch multiplies BM25 by 2.2 (k1 + 1): a ranker trained on values without the factor "
    "(flavour: lucene) will rank differently."
)


class ElasticsearchLtrOptions(LtrPluginOptions):
    """Which version of the plugin the files are for."""

    version: str = Field("1.5.10", pattern=VERSION, description="the plugin's own version; sets the missing rule")


class ElasticsearchLtr(LtrPlugin):
    """Model, feature set and example query for Elasticsearch's Learning to Rank plugin (o19s).

    Args:
        options: Checked `ElasticsearchLtrOptions`.
    """

    Options: ClassVar[type[BaseModel]] = ElasticsearchLtrOptions
    models: ClassVar[Mapping[str, LtrModel[Any]]] = PLUGIN_MODELS

    def __init__(self, options: ElasticsearchLtrOptions) -> None:
        super().__init__(options, elasticsearch(options.version))

    @property
    def target(self) -> str:
        """Engine, format and the plugin's version, for example `elasticsearch_ltr-1.5.10`."""
        return f"elasticsearch_ltr-{self._engine.version}"


def elasticsearch(version: str) -> LtrEngine:
    """Describe Elasticsearch with the plugin at a version such as "1.5.10"."""
    return LtrEngine(
        name="elasticsearch",
        plugin="elasticsearch-learning-to-rank",
        version=version,
        rule=elasticsearch_rule(version),
        bm25_warning=BM25_WARNING,
        proof=verification("contract", "a stand-in, written from OpenSearch's plugin; Elasticsearch's has not run it"),
    )
