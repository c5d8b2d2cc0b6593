"""What every judgment exporter offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pydantic import BaseModel


@dataclass(frozen=True)
class JudgedQuery:
    """One query text of a corpus with its graded documents.

    Args:
        text: As it was typed.
        topic_id: The id of its query cluster; the same text has the same id in every run.
        grades: doc_id to grade (0 .. max_grade), at least one, by doc_id in the order of their UTF-8 bytes.
    """

    text: str
    topic_id: str
    grades: Mapping[str, int]


class JudgmentExporter(Protocol):
    """A writer of one tool's format for judgments."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: BaseModel) -> None: ...

    @property
    def target(self) -> str:
        """Name of the tool, used as folder name: letters, digits, `_`, `-` and `.`."""
        ...

    def fault(self, query: str, doc_id: str) -> str:
        """Say in a few words why the format cannot hold a judgment of this pair; empty when it can.

        The judgment is then left out, and counted under these words: they name no query and no document.
        """
        ...

    def write(self, corpus: str, queries: Iterable[JudgedQuery]) -> Iterator[tuple[str, bytes]]:
        """Write one corpus's judgments, reading the queries once and keeping few of them.

        Args:
            corpus: Whose judgments they are.
            queries: By text, in the order of its UTF-8 bytes, without the judgments that have a fault.

        Yields:
            (file name, next part of its content); all parts of a file follow each other. The same queries give the
            same bytes.
        """
        ...
