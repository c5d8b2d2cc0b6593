"""The files of every corpus and target, made one after the other while they are written."""

from __future__ import annotations

import logging
import os
import pickle
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import attrgetter
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING

from rankhammer.canonical_json import to_json
from rankhammer.corpora import folder_of
from rankhammer.exporters.judgments.base import as_query, judged_queries

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.exporters.judgments.base import JudgedQuery, JudgmentExporter

MANIFEST = "manifest.json"
_IN_MEMORY = 2**24
"""Bytes of a corpus's queries that wait in memory; more go to a temporary file."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class JudgmentFiles:
    """What is to be written, computed when somebody iterates over it.

    Iterating yields ("<corpus>/<target>/<file>", next part of its content). All parts of a file follow each other, and
    the last file of a target is its manifest.json. A corpus without a graded judgment has no files.

    One process writes, because the order of lines is part of what makes a file reproducible. Spark sorts, and the
    driver holds one small partition at a time; a corpus's queries wait in a temporary file, so that Spark computes
    them once for all targets.

    Args:
        judgments: Hand-off `judgments`.
        exporters: One a target.
    """

    judgments: DataFrame
    exporters: Sequence[JudgmentExporter]

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        if not self.exporters:
            return
        # The action: brings every query to the driver, a partition of some 10 MB at a time.
        for corpus, rows in groupby(judged_queries(self.judgments).toLocalIterator(), key=attrgetter("corpus")):
            with SpooledTemporaryFile(_IN_MEMORY) as spool:
                for row in rows:
                    pickle.dump(as_query(row), spool)
                for exporter in self.exporters:
                    yield from _target(corpus, exporter, _from_start(spool))


def _from_start(spool: IO[bytes]) -> Iterator[JudgedQuery]:
    end = spool.seek(0, os.SEEK_END)
    spool.seek(0)
    while spool.tell() < end:
        yield pickle.load(spool)


@dataclass
class _Tally:
    """What has been written of one corpus for one target."""

    n_queries: int = 0
    n_judgments: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def count(self, queries: Iterable[JudgedQuery], exporter: JudgmentExporter) -> Iterator[JudgedQuery]:
        """Pass on what the format can hold, and count both that and the rest."""
        for query in queries:
            faults = {doc_id: exporter.fault(query.text, doc_id) for doc_id in query.grades}
            self.left_out.update(fault for fault in faults.values() if fault)
            grades = {doc_id: grade for doc_id, grade in query.grades.items() if not faults[doc_id]}
            if grades:
                self.n_queries, self.n_judgments = self.n_queries + 1, self.n_judgments + len(grades)
                yield replace(query, grades=grades)


def _target(corpus: str, exporter: JudgmentExporter, queries: Iterable[JudgedQuery]) -> Iterator[tuple[str, bytes]]:
    tally, names = _Tally(), dict[str, None]()
    folder = f"{folder_of(corpus)}/{exporter.target}"
    for name, content in exporter.write(corpus, tally.count(queries, exporter)):
        names[name] = None
        yield f"{folder}/{name}", content
    for fault, n_judgments in sorted(tally.left_out.items()):
        logger.warning("%s: %d judgments left out: %s.", folder, n_judgments, fault)
    manifest = {
        "corpus": corpus,
        "target": exporter.target,
        "files": list(names),
        "n_queries": tally.n_queries,
        "n_judgments": tally.n_judgments,
        "left_out": dict(tally.left_out),
    }
    yield f"{folder}/{MANIFEST}", to_json(manifest)
