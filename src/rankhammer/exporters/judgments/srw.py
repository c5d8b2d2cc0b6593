"""Writes judgment lists that OpenSearch's Search Relevance Workbench imports."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, Field

from rankhammer.canonical_json import to_json
from rankhammer.digests import hex_digest
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rankhammer.exporters.judgments.base import JudgedQuery

_NAME_LENGTH = 50
"""Characters of a list's name that the workbench takes at most."""


class SrwOptions(StrictModel):
    """Options of `srw`."""

    max_nested_objects: int = Field(
        default=10_000, ge=2, description="index.mapping.nested_objects.limit of the index that keeps judgment lists"
    )


class Srw:
    """Bodies of `PUT _plugins/_search_relevance/judgments`, for OpenSearch's Search Relevance Workbench.

    The workbench keeps a list as one document, in which each query and each rating is a nested object. An index takes
    10,000 of them a document, so a longer list is cut into several; an experiment takes any number of lists as its
    `judgmentList`, and puts their ratings together by query and document.

    Args:
        options: Checked `SrwOptions`.

    References:
        OpenSearch documentation, Search Relevance Workbench, Judgments, "Importing judgments".
        opensearch-project/search-relevance: RestPutJudgmentAction, ImportJudgmentsProcessor (`docId` and `rating` are
        strings, the rating reads as a float), TextValidationUtil (name), JudgmentRatingsMapper (several lists),
        mappings/judgment.json (nested objects).
    """

    Options: ClassVar[type[BaseModel]] = SrwOptions

    def __init__(self, options: SrwOptions) -> None:
        self._max_objects = options.max_nested_objects

    @property
    def target(self) -> str:
        """Always `srw`."""
        return "srw"

    def fault(self, query: str, doc_id: str) -> str:  # noqa: ARG002 - protocol
        """Refuse an empty document id, which fails the import of a whole list."""
        return "" if doc_id else "the document id is empty"

    def write(self, corpus: str, queries: Iterable[JudgedQuery]) -> Iterator[tuple[str, bytes]]:
        """Write judgments-0001.json and, where they are too many, further lists.

        Args:
            corpus: Part of the lists' names.
            queries: Sorted by text.

        Yields:
            (file name, the whole list).
        """
        for number, ratings in enumerate(self._lists(queries), 1):
            body = {"name": _name(corpus, number, ratings), "type": "IMPORT_JUDGMENT", "judgmentRatings": ratings}
            yield f"judgments-{number:04}.json", to_json(body, indent=None)

    def _lists(self, queries: Iterable[JudgedQuery]) -> Iterator[list[dict[str, Any]]]:
        """Fill one list after the other; only a query that is too long for any is itself cut."""
        filled: list[dict[str, Any]] = []
        n_objects = 0
        for rated in self._rated(queries):
            size = 1 + len(rated["ratings"])
            if n_objects + size > self._max_objects:
                yield filled
                filled, n_objects = [], 0
            filled.append(rated)
            n_objects += size
        if filled:
            yield filled

    def _rated(self, queries: Iterable[JudgedQuery]) -> Iterator[dict[str, Any]]:
        most = self._max_objects - 1
        for query in queries:
            ratings = [{"docId": doc_id, "rating": f"{grade:.1f}"} for doc_id, grade in query.grades.items()]
            for start in range(0, len(ratings), most):
                yield {"query": query.text, "ratings": ratings[start : start + most]}


def _name(corpus: str, number: int, ratings: list[dict[str, Any]]) -> str:
    """Name a list by its content: at most 50 characters, and none of those that the workbench refuses in names."""
    end = f" {hex_digest(to_json(ratings, indent=None), 12)} {number:04}"
    return re.sub(r'["\\<>\s]', "_", f"rankhammer-{corpus}")[: _NAME_LENGTH - len(end)] + end
