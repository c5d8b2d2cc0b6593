"""Options of feature sources that ask a real search engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field, ValidationInfo, field_validator

from rankhammer.engines.remote.client import Server
from rankhammer.errors import ConfigError
from rankhammer.feature_sets import Match, Phrase

if TYPE_CHECKING:
    from rankhammer.feature_sets import FeatureSet


class SearchOptions(Server):
    """Where the engine is, which indices it searches, and how hard it may be asked."""

    index: str = Field("{corpus}", min_length=1, description="index or alias of a corpus; {corpus} stands for its name")
    text_field: str = Field(
        "{field}",
        min_length=1,
        description="field that a text feature searches; {field} and {analyzer} stand for the feature's own: "
        "{field}.{analyzer} where the index has one multi-field an analyzer",
    )
    logging: Literal["named_queries", "sltr"] = Field(
        "named_queries", description="how values are asked: sltr needs the Learning to Rank plugin on the engine"
    )
    store: str | None = Field(
        None, pattern=r"^[a-z0-9_]+$", description="feature store of the plugin; null is the default store; sltr only"
    )
    searches_per_request: int = Field(50, ge=1, le=200, description="searches in one request; sltr only")
    role: Literal["collection", "live"] = Field(
        "collection", description="what the cluster is for; a live one serves users"
    )
    live_cluster: str | None = Field(
        None, description="with role live: the cluster's own name, to say that it may be asked all the same"
    )
    pace: Literal["polite", "greedy"] = Field(
        "polite", description="polite gives way when answers slow down; greedy only when the engine refuses"
    )
    max_in_flight: int = Field(4, ge=1, le=256, description="searches at once at most, all workers together")
    max_other_searches_per_s: float = Field(
        5.0, ge=0, description="others' searches a second above which the cluster is too busy to begin; polite only"
    )
    searches_per_batch: int = Field(
        500, ge=1, le=100_000, description="searches a worker makes between two savings of progress"
    )
    progress: str | None = Field(
        None, description="folder of finished batches, where an interrupted run goes on; null: begin again"
    )

    @field_validator("index", "text_field")
    @classmethod
    def _has_no_other_place(cls, pattern: str, info: ValidationInfo) -> str:
        known = {"index": ("corpus",), "text_field": ("field", "analyzer")}[str(info.field_name)]
        try:
            pattern.format(**dict.fromkeys(known, "x"))
        except (KeyError, IndexError, ValueError) as exc:
            places = " and ".join(f"{{{name}}}" for name in known)
            raise ValueError(f"only {places} may stand in braces") from exc
        return pattern

    def index_of(self, corpus: str) -> str:
        """Return the index that holds a corpus."""
        return self.index.format(corpus=corpus)

    def field_of(self, feature: Match | Phrase) -> str:
        """Return the engine's field that a text feature searches."""
        return self.text_field.format(field=feature.field, analyzer=feature.analyzer)

    def require_one_analyzer(self, feature_set: FeatureSet) -> None:
        """Check that no field is searched by two analyzers: an index keeps a field's terms of one analyzer.

        Raises:
            ConfigError: One is, and `text_field` does not tell them apart.
        """
        seen: dict[str, Match | Phrase] = {}
        for feature in feature_set.features:
            if isinstance(feature, Match | Phrase):
                first = seen.setdefault(self.field_of(feature), feature)
                if first.analyzer != feature.analyzer:
                    raise ConfigError(
                        f"Features {first.name!r} and {feature.name!r} search the engine's field "
                        f"{self.field_of(feature)!r} by two analyzers, but it holds the terms of one.",
                        hint="Give the index a multi-field for each analyzer and set text_field, for instance to "
                        "'{field}.{analyzer}'.",
                    )
