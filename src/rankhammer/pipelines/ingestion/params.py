"""Parameters of the ingestion stage; conf/base/parameters/ingestion.yml holds the values."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from rankhammer.casts import MAX_TEXT_CHARS
from rankhammer.click_logs import Bounds, PageLimits, VisitorOptions
from rankhammer.click_logs.faults import RepeatedDocuments  # noqa: TC001 - pydantic resolves annotations at run time
from rankhammer.click_logs.robots import Least, RobotRules
from rankhammer.click_logs.sessions import DayRange, SessionRules
from rankhammer.click_logs.visitors import salt_named
from rankhammer.corpus_limits import named_corpora
from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import PluginSpec, of_group
from rankhammer.queries import Selection


class IngestionParams(StageParams):
    """How a raw click log becomes result pages."""

    reader: Annotated[PluginSpec, of_group("click_logs")] = Field(
        description="click_logs plugin that understands the log, and its options"
    )
    max_bad_share: float = Field(ge=0, le=1, description="largest share of faulty result pages in a corpus")
    max_serps_per_day: Least = Field(description="a session with more pages in a UTC day is a robot's")
    max_clicks_outside: float = Field(
        ge=0, le=1, description="largest share of clicks in a corpus that are on no document of their result page"
    )
    max_query_chars: int = Field(ge=1, le=MAX_TEXT_CHARS, description="characters of a query; a longer one is a fault")
    max_id_chars: int = Field(ge=1, le=MAX_TEXT_CHARS, description="characters of an id; a longer one is a fault")
    max_documents: int = Field(ge=1, le=10_000, description="documents on a result page; more are a fault")
    repeated_documents: RepeatedDocuments = Field(
        description="what becomes of a page that shows a document twice: first_place or set_aside"
    )
    min_sessions: Least = Field(1, description="sessions that a normal form and a cluster need to be kept")
    sample_pairs: Least | None = Field(
        None, description="pairs of query and document wanted of each corpus, in whole clusters; null for all"
    )
    sample_seed: int = Field(0, ge=0, lt=1 << 63, description="seed of the sample")

    def selection(self) -> Selection:
        """Return which queries are kept."""
        return Selection(self.min_sessions, self.sample_pairs, self.sample_seed)

    # What a project of an earlier version does not set has the values of conf/base.
    sessions: SessionRules = Field(
        default_factory=SessionRules, description="how sessions are made for pages that have none"
    )
    robots: RobotRules = Field(
        default_factory=RobotRules, description="who is no person, beside sessions of more than max_serps_per_day pages"
    )
    abandoned_searches: Literal["keep", "drop"] = Field(
        default="keep", description="what becomes of pages without a click"
    )
    salt: str | None = Field(
        default=None, min_length=1, description="entry of credentials.yml that ids of visitors are hashed with"
    )

    quarantine_examples: int | None = Field(
        default=100,
        ge=0,
        le=10_000,
        description="faulty pages of each reason kept in quarantine; null for all",
    )
    days: DayRange = Field(
        default_factory=DayRange,
        description="UTC days whose pages are written; earlier ones are read for sessions alone",
    )

    def bounds(self) -> Bounds:
        """Return how much of a corpus may be lost."""
        return Bounds(self.max_bad_share, self.max_serps_per_day, self.max_clicks_outside)

    def visitors(self) -> VisitorOptions:
        """Return what is made of who searched."""
        is_dropped = self.abandoned_searches == "drop"
        salt = salt_named(self.salt)
        return VisitorOptions(self.sessions, self.robots, salt, drops_abandoned=is_dropped, days=self.days)

    def named_corpora(self) -> set[str]:
        """Return the corpora that have thresholds of their own."""
        own = (getattr(self.robots, name) for name in RobotRules.model_fields)
        return named_corpora(self.max_serps_per_day, self.min_sessions, self.sample_pairs, *own)

    def limits(self) -> PageLimits:
        """Return what a result page may hold."""
        return PageLimits(self.max_query_chars, self.max_id_chars, self.max_documents, self.repeated_documents)
