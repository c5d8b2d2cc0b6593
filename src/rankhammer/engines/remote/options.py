"""Options of feature sources that ask a real search engine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from rankhammer.engines.remote.client import Server
from rankhammer.feature_sets.text_fields import TextFields, check_pattern


class CollectOptions(Server, TextFields):
    """Where the engine is, which indices it searches, and how hard it may be asked."""

    index: str = Field("{corpus}", min_length=1, description="index or alias of a corpus; {corpus} stands for its name")
    role: Literal["collection", "live"] = Field(
        "collection", description="what the cluster is for; a live one serves users"
    )
    live_cluster: str | None = Field(
        None, description="with role live: the cluster's own name, to say that it may be asked all the same"
    )
    pace: Literal["polite", "greedy"] = Field(
        "polite",
        description="polite rests between answers, gives way when they slow down; greedy only when the engine refuses",
    )
    max_in_flight: int = Field(4, ge=1, le=256, description="searches at once at most, all workers together")
    max_other_searches_per_s: float = Field(
        5.0, ge=0, description="others' searches a second above which the cluster is too busy to begin; polite only"
    )
    searches_per_batch: int = Field(
        2000, ge=1, le=100_000, description="searches a worker makes between two savings of progress"
    )
    progress: str | None = Field(
        None, description="folder of finished batches, where an interrupted run goes on; null: begin again"
    )

    bundle: str | None = Field(
        None,
        description="folder in place of an engine out of reach: searches go there, answers come from there",
    )

    @field_validator("index")
    @classmethod
    def _index_has_known_places(cls, pattern: str) -> str:
        return check_pattern(pattern, "corpus")

    def index_of(self, corpus: str) -> str:
        """Return the index that holds a corpus."""
        return self.index.format(corpus=corpus)


class SearchOptions(CollectOptions):
    """Options of OpenSearch and Elasticsearch."""

    logging: Literal["named_queries", "sltr"] = Field(
        "named_queries", description="how values are asked: sltr needs the Learning to Rank plugin on the engine"
    )
    store: str | None = Field(
        None, pattern=r"^[a-z0-9_]+$", description="feature store of the plugin; null is the default store; sltr only"
    )
    searches_per_request: int = Field(50, ge=1, le=200, description="searches in one request; sltr only")


class SolrOptions(CollectOptions):
    """Options of Solr; `url` ends with /solr as a rule, `index` is a collection or core."""

    id_field: str = Field("id", pattern=r"^[\w.-]+$", description="the schema's unique key, which holds doc_id")
    quoted_keywords: bool = Field(
        False, description="as in the export target: expressions may compute with text features"
    )
