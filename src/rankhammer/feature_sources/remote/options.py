"""Options of feature sources that ask a real search engine."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import Field, field_validator

from rankhammer.feature_sets.text_fields import TextFields, check_pattern
from rankhammer.search_engines.client import Server
from rankhammer.search_engines.paths import index_name, require_index_pattern


class CollectOptions(Server, TextFields):
    """Where the engine is, which indices it searches, and how hard it may be asked."""

    index: str = Field("{corpus}", min_length=1, description="index or alias of a corpus; {corpus} stands for its name")
    role: Literal["collection", "live"] = Field(
        "collection", description="what the cluster is for; a live one serves users"
    )
    live_cluster: str | None = Field(
        None, description="with role live: the cluster's own name, to say that it may be queried anyway"
    )
    pace: Literal["polite", "greedy"] = Field(
        "polite",
        description="polite rests between answers, backs off when they slow down; greedy only when the engine refuses",
    )
    max_in_flight: int = Field(4, ge=1, le=256, description="searches at once at most, all workers together")
    max_other_searches_per_s: float = Field(
        5.0, ge=0, description="others' searches per second above which the cluster is too busy to begin; polite only"
    )
    searches_per_batch: int = Field(
        2000, ge=1, le=100_000, description="searches a worker makes between two savings of progress"
    )
    progress: str | None = Field(
        None, description="folder of finished batches, where an interrupted run resumes; null: begin again"
    )

    bundle: str | None = Field(
        None,
        description="folder in place of an engine out of reach: searches go there, answers come from there",
    )

    @field_validator("index")
    @classmethod
    def _index_has_known_places(cls, pattern: str) -> str:
        return require_index_pattern(check_pattern(pattern, "corpus"))

    def index_of(self, corpus: str) -> str:
        """Return the index that holds a corpus.

        Raises:
            ConfigError: No engine can have an index of that name.
        """
        return index_name(self.index, corpus)


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

    def index_of(self, corpus: str) -> str:
        """Return the collection or core that holds a corpus."""
        return index_name(self.index, corpus, solr=True)


MAX_PAGE = 10_000
"""Every engine's index.max_result_window."""


class IndexOptions(Server):
    """Which records of which indices are read, and how hard the engine is asked."""

    indices: tuple[str, ...] = Field(min_length=1, description="indices, aliases, data streams or patterns")
    fields: tuple[str, ...] = Field((), description="fields that are needed; a dot steps into an object; empty: all")
    time_field: str = Field("timestamp", min_length=1, description="field of dates that `since` and `until` look at")
    since: datetime | None = Field(None, description="first moment, ISO 8601; UTC where it names no zone")
    until: datetime | None = Field(None, description="first moment that is too late")
    max_in_flight: int = Field(4, ge=1, le=256, description="searches at once at most, all workers together")
    page_size: int = Field(1000, ge=1, le=MAX_PAGE, description="records of one search")

    @field_validator("indices")
    @classmethod
    def _are_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not name or name[0] in "_-" or set(name) & set('/\\?#,"<>|: \t\n'):
                raise ValueError(f"{name!r} is no name of an index")
        if len(set(names)) < len(names):
            raise ValueError("an index is named twice")
        return names

    @field_validator("since", "until")
    @classmethod
    def _has_a_zone(cls, moment: datetime | None) -> datetime | None:
        return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment

    def time_range(self) -> dict[str, Any] | None:
        """Return the clause that leaves out other times, None for all."""
        bounds = {"gte": self.since, "lt": self.until}
        given = {word: int(moment.timestamp() * 1000) for word, moment in bounds.items() if moment is not None}
        return {"range": {self.time_field: {**given, "format": "epoch_millis"}}} if given else None

    def what(self) -> tuple[Any, ...]:
        """Return what decides which records are read, and nothing of where and how."""
        return self.indices, self.fields, self.time_range()
