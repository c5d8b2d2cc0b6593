"""Writes ratings as CSV for Quepid."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, ClassVar

from pydantic import BaseModel, Field

from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rankhammer.exporters.judgments.base import JudgedQuery

FILE = "ratings.csv"
_HEADER = ("query", "docid", "rating")
_QUERY_LENGTH, _DOC_ID_LENGTH = 2048, 500
"""Characters that Quepid's database keeps of a query and of a document's id."""


class QuepidOptions(StrictModel):
    """Options of `quepid`."""

    browser: bool = Field(
        default=True, description="leave out the rows for which Quepid's import in the browser refuses a whole file"
    )


class Quepid:
    """ratings.csv with the columns query, docid and rating, for a case in Quepid.

    Fields are quoted as RFC 4180 says, lines end with a line feed. Quepid has two readers: `thor ratings:import` on its
    server takes any such file; the import in the browser looks at each line by itself, and refuses the file when one
    has more than three parts between commas and not exactly two quotation marks.

    Args:
        options: Checked `QuepidOptions`.

    References:
        o19s/quepid: import_ratings_modal_instance_controller.js (header and checks of the browser),
        lib/tasks/ratings.thor, app/services/ratings_importer.rb, db/schema.rb (lengths).
        Y. Shafranovich. Common Format and MIME Type for Comma-Separated Values (CSV) Files. RFC 4180, 2005.
    """

    Options: ClassVar[type[BaseModel]] = QuepidOptions

    def __init__(self, options: QuepidOptions) -> None:
        self._browser = options.browser

    @property
    def target(self) -> str:
        """Always `quepid`."""
        return "quepid"

    def fault(self, query: str, doc_id: str) -> str:
        """Refuse what Quepid skips, what its database has no room for, and what its browser import trips over."""
        if not query.strip() or not doc_id.strip():
            return "the query or the document id is empty"
        if len(query) > _QUERY_LENGTH or len(doc_id) > _DOC_ID_LENGTH:
            return f"the query has over {_QUERY_LENGTH} characters, or the document id over {_DOC_ID_LENGTH}"
        if self._browser and _is_refused_by_browser(_line((query, doc_id, 0))):
            return "commas and quotation marks that the import in the browser refuses (option browser)"
        return ""

    def write(self, corpus: str, queries: Iterable[JudgedQuery]) -> Iterator[tuple[str, bytes]]:  # noqa: ARG002 - protocol
        """Write ratings.csv, UTF-8, one row a judgment.

        Args:
            corpus: Not part of the format: a case holds one corpus.
            queries: Sorted by text.

        Yields:
            (`ratings.csv`, the header or the rows of one query).
        """
        yield FILE, _line(_HEADER).encode()
        for query in queries:
            yield FILE, "".join(_line((query.text, *judged)) for judged in query.grades.items()).encode()


def _line(fields: tuple[object, ...]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)
    return text.getvalue()


def _is_refused_by_browser(line: str) -> bool:
    parts = line.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return any(part.count(",") > 2 and part.count('"') != 2 for part in parts)
