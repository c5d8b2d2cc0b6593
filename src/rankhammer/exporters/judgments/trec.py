"""Writes relevance judgments as TREC has them: qrels, and the topics that they refer to."""

from __future__ import annotations

import re
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from pydantic import BaseModel, Field

from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rankhammer.exporters.judgments.base import JudgedQuery

QRELS, TOPICS = "qrels.txt", "topics.tsv"
_BLANK = re.compile(r"[\s\0]")
_TOPICS_IN_MEMORY = 2**24
"""Bytes of topics that are kept in memory while the judgments are written; more go to a temporary file."""

_PART = 2**20
"""Bytes of topics in one part."""


class TrecOptions(StrictModel):
    """Options of `trec`."""

    escape: bool = Field(
        default=False, description="write white space and % in document ids as %XX; else such documents are left out"
    )


class Trec:
    """qrels.txt (topic, 0, document, grade) and topics.tsv, for trec_eval, ir_measures and their like.

    Fields of qrels stand between spaces and cannot hold white space. A document whose id has some is left out: no run
    can name it, either. With `escape`, its white space, and every `%`, is written as the %XX of its UTF-8 bytes; then
    the run has to be written likewise.

    A topic's id is its query cluster's, so it stays what it is when the log grows. topics.tsv has a line a topic: id,
    tab, query, in which white space is written as one space.

    Args:
        options: Checked `TrecOptions`.

    References:
        NIST, TREC "Data - English Relevance Judgements": TOPIC ITERATION DOCUMENT# RELEVANCY.
        usnistgov/trec_eval, get_qrels.c: fields between white space, which they cannot hold, nor a null character;
        the relevance is a whole number between -127 and 127.
    """

    Options: ClassVar[type[BaseModel]] = TrecOptions

    def __init__(self, options: TrecOptions) -> None:
        self._escape = options.escape

    @property
    def target(self) -> str:
        """Always `trec`."""
        return "trec"

    def fault(self, query: str, doc_id: str) -> str:  # noqa: ARG002 - protocol
        """Refuse ids that no line of qrels can hold."""
        if not doc_id:
            return "the document id is empty"
        if not self._escape and _BLANK.search(doc_id):
            return "the document id has white space (option escape)"
        return ""

    def write(self, corpus: str, queries: Iterable[JudgedQuery]) -> Iterator[tuple[str, bytes]]:  # noqa: ARG002 - protocol
        """Write qrels.txt and topics.tsv, UTF-8.

        Args:
            corpus: Not part of the format.
            queries: Sorted by text; both files keep this order.

        Yields:
            (`qrels.txt`, the lines of one query), then (`topics.tsv`, some of its lines).
        """
        with SpooledTemporaryFile(_TOPICS_IN_MEMORY) as topics:
            yield QRELS, b""
            for query in queries:
                topics.write(f"{query.topic_id}\t{' '.join(query.text.split())}\n".encode())
                yield QRELS, self._lines(query).encode()
            topics.seek(0)
            yield TOPICS, b""
            while part := topics.read(_PART):
                yield TOPICS, part

    def _lines(self, query: JudgedQuery) -> str:
        escaped = ((_escaped(doc_id), grade) for doc_id, grade in query.grades.items())
        judged = escaped if self._escape else query.grades.items()
        return "".join(f"{query.topic_id} 0 {doc_id} {grade}\n" for doc_id, grade in judged)


def _escaped(doc_id: str) -> str:
    """Write white space, null characters and % as urllib.parse.unquote reads them back."""
    return re.sub(r"[\s\0%]", lambda found: quote(found[0], safe=""), doc_id)
