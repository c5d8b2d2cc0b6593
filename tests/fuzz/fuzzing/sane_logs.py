"""A sound log for each reader: twelve pages of four documents in two corpora; no two pages have the same query."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

N_PAGES, N_DOCS = 12, 4
START_S = 1_767_261_600
KINDS = {
    "impressions": {
        "corpus": "corpus",
        "serp_id": "id",
        "session_id": "id",
        "query": "text",
        "shown_at": "time",
        "doc_id": "id",
        "position": "position",
        "clicked": "flag",
    },
    "serps": {
        "corpus": "corpus",
        "serp_id": "id",
        "session_id": "id",
        "query": "text",
        "shown_at": "time",
        "doc_ids": "array",
        "clicked": "array",
    },
    "ubi": {
        "corpus": "corpus",
        "application": "text",
        "query_id": "id",
        "user_query": "text",
        "client_id": "id",
        "session_id": "id",
        "timestamp": "time",
        "query_response_hit_ids": "array",
        "action_name": "text",
        "event_attributes.object.object_id": "id",
        "event_attributes.position.ordinal": "position",
    },
    "yandex_wscd": {"value": "text"},
}
"""Reader to its columns and what they mean."""
FORMATS = {
    "impressions": ("parquet", "csv", "json", "orc"),
    "serps": ("parquet", "json", "orc"),
    "ubi": ("parquet", "json"),
    "yandex_wscd": ("text",),
}


@dataclass
class Page:
    """What a result page holds, whatever format it stands in."""

    number: int
    corpus: str
    docs: list[str]
    clicked: list[bool]

    @property
    def query(self) -> str:
        return f"query {self.number} café"

    @property
    def shown_at(self) -> str:
        return f"2026-01-{1 + self.number:02d}T10:00:00Z"


@dataclass
class Log:
    """Rows of a log, and which page each of them is of.

    Args:
        reader: Name of the plugin.
        rows: Column to value; a dot steps into a struct.
        page_of: Number of each row's page.
        pages: All of them.
    """

    reader: str
    rows: list[dict[str, Any]]
    page_of: list[int]
    pages: list[Page] = field(default_factory=list)

    @property
    def kinds(self) -> dict[str, str]:
        return KINDS[self.reader]


def pages() -> list[Page]:
    """Return the pages; a third of the documents is clicked."""
    return [
        Page(
            number,
            "shop" if number % 3 else "main",
            [str(1000 + (7 * number + place) % 40) for place in range(N_DOCS)],
            [(number + place) % 3 == 0 for place in range(N_DOCS)],
        )
        for number in range(N_PAGES)
    ]


def sane_log(reader: str) -> Log:
    """Return the sound log in the rows of a reader."""
    found = pages()
    rows_of = {"impressions": _impressions, "serps": _serp, "ubi": _ubi, "yandex_wscd": _yandex}[reader]
    pairs = [(page.number, row) for page in found for row in rows_of(page)]
    return Log(reader, [row for _, row in pairs], [number for number, _ in pairs], found)


def _head(page: Page) -> dict[str, Any]:
    session = {"serp_id": str(100 + page.number), "session_id": str(50 + page.number // 2)}
    return {"corpus": page.corpus, **session, "query": page.query, "shown_at": page.shown_at}


def _impressions(page: Page) -> list[dict[str, Any]]:
    places = enumerate(zip(page.docs, page.clicked, strict=True), 1)
    return [
        {**_head(page), "doc_id": doc, "position": place, "clicked": int(clicked)} for place, (doc, clicked) in places
    ]


def _serp(page: Page) -> list[dict[str, Any]]:
    return [{**_head(page), "doc_ids": list(page.docs), "clicked": list(map(int, page.clicked))}]


def _ubi(page: Page) -> list[dict[str, Any]]:
    empty = dict.fromkeys(KINDS["ubi"])
    common = {"application": "web", "query_id": str(100 + page.number), "timestamp": page.shown_at}
    common |= {"corpus": page.corpus, "session_id": str(50 + page.number // 2), "client_id": "9"}
    asked = {"user_query": page.query, "query_response_hit_ids": list(page.docs)}
    events = [
        {
            "action_name": "click",
            "event_attributes.object.object_id": doc,
            "event_attributes.position.ordinal": place,
        }
        for place, (doc, is_clicked) in enumerate(zip(page.docs, page.clicked, strict=True), 1)
        if is_clicked
    ]
    return [{**empty, **common, **row} for row in (asked, *events)]


def _yandex(page: Page) -> list[dict[str, Any]]:
    clicked = [doc for doc, is_clicked in zip(page.docs, page.clicked, strict=True) if is_clicked]
    return [{"value": f"{page.query}\t{','.join(page.docs)}:{','.join(clicked)}"}]
