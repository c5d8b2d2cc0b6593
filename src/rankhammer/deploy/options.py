"""Where rankers are deployed, and how many of them stay there; conf/<env>/deploy.yml holds the values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, ValidationError, field_validator

from rankhammer.errors import ConfigError
from rankhammer.search_engines.client import Server
from rankhammer.search_engines.paths import index_name, require_index_pattern
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping


class EngineCluster(Server):
    """One cluster that gets the rankers."""

    patience_s: float = Field(
        30.0, ge=0, le=86_400, description="seconds to ask again while the engine is busy, restarts or is not there"
    )


class DeployOptions(StrictModel):
    """What `rankhammer deploy` and `rankhammer rollback` are told."""

    engine: Literal["opensearch", "elasticsearch", "solr"] = Field("opensearch", description="what all clusters are")
    clusters: tuple[EngineCluster, ...] = Field(min_length=1, description="every one of them gets the ranker, or none")
    index: str = Field(
        "{corpus}",
        pattern=r"^([^{}/]|\{corpus\})+$",
        description="index on which a ranker is tried; the collection that gets it on Solr; {corpus}: its corpus",
    )
    queries: tuple[str, ...] = Field(
        ("an example query",), min_length=1, description="searches by which a ranker is tried before it becomes active"
    )
    n_documents: int = Field(20, ge=1, le=1000, description="documents of each such search that are reranked")
    keep: int = Field(
        3,
        ge=2,
        le=100,
        description="rankers of a corpus that stay on a cluster, the active one included; applications may still use "
        "the one before",
    )
    record_index: str = Field(
        "rankhammer_deployments",
        pattern=r"^[a-z0-9][a-z0-9_.-]*$",
        description="index that says which ranker of each corpus is active; Solr keeps that in the collection",
    )

    @field_validator("clusters")
    @classmethod
    def _are_different(cls, clusters: tuple[EngineCluster, ...]) -> tuple[EngineCluster, ...]:
        urls = [cluster.url for cluster in clusters]
        if len(set(urls)) < len(urls):
            raise ValueError("a cluster is named twice")
        return clusters

    @field_validator("index")
    @classmethod
    def _can_be_a_name(cls, pattern: str) -> str:
        return require_index_pattern(pattern)

    def index_of(self, corpus: str) -> str:
        """Return the index on which a corpus' ranker is tried.

        Raises:
            ConfigError: No engine can have an index of that name.
        """
        return index_name(self.index, corpus, solr=self.engine == "solr")


def read_options(given: Mapping[str, Any]) -> DeployOptions:
    """Check what deploy.yml and the command line say.

    Args:
        given: The fields of `DeployOptions`, plain values.

    Raises:
        ConfigError: A name or a value is wrong; the first one is named.
    """
    try:
        return DeployOptions.model_validate(dict(given))
    except ValidationError as exc:
        fault = exc.errors(include_input=False)[0]
        place = ".".join(map(str, fault["loc"])) or "the file as a whole"
        raise ConfigError(
            f"deploy.yml: {place}: {fault['msg']}.",
            hint=f"Its keys are {', '.join(DeployOptions.model_fields)}; conf/base/deploy.yml describes them.",
        ) from None
