"""Options of reading whole indices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pydantic import Field, field_validator

from rankhammer.engines.remote.client import Server

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
