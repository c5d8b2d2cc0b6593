"""A corpus's index, memory-mapped: the workers of one machine share it, and only what is asked for is read."""

from __future__ import annotations

from bisect import bisect_left
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from rankhammer.engines.arrays import unpack

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rankhammer.engines.segments import Channel
    from rankhammer.feature_sets.analyzers import AnalyzerName


class CorpusIndex:
    """Looks up documents, terms and postings of one corpus.

    Args:
        arrays: What `rankhammer.engines.segments.merge_segments` packed.
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._arrays = arrays
        self._term_numbers: dict[tuple[str, str], int] = {}

    @property
    def doc_keys(self) -> NDArray[np.int64]:
        """64-bit hashes of all doc_ids, ascending; a document's number is its place here."""
        keys: NDArray[np.int64] = self._arrays["doc_keys"]
        return keys

    def find_docs(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of each document, shape (n,); -1 for one that the corpus does not have."""
        return _find(self.doc_keys, keys)

    def number(self, field: str) -> NDArray[np.float64]:
        """Return a number field, shape (n_docs,); NaN where a document has none."""
        values: NDArray[np.float64] = self._arrays[f"number/{field}"]
        return values

    def find_terms(self, terms: pa.Array, analyzer: AnalyzerName) -> NDArray[np.int64]:
        """Return the number of each term, shape (n,); -1 for one that no document has."""
        if f"{analyzer}/terms" not in self._arrays:
            return np.full(len(terms), -1, dtype=np.int64)
        return np.fromiter((self._find_term(term, analyzer) for term in terms.to_pylist()), np.int64, len(terms))

    def find_postings(self, channel: Channel, docs: NDArray[np.int64], terms: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the posting of each (document, term), shape (n,); -1 where the document does not hold the term."""
        begin = self.array(channel, "begin")
        return _find_in_runs(self.array(channel, "term"), begin[docs], begin[docs + 1], terms)

    def weight(self, channel: Channel, docs: NDArray[np.int64], frequency: NDArray[Any]) -> NDArray[np.float64]:
        """Return tf / (tf + norm of the document), shape (n,), for frequencies above 0."""
        code = self._arrays[f"{channel.key}/length_code"][docs]
        weights: NDArray[np.float64] = frequency / (frequency + self._arrays[f"{channel.key}/norms"][code])
        return weights

    def array(self, channel: Channel, name: str) -> NDArray[Any]:
        """Return one of a channel's arrays: `begin`, `term`, `tf`, `idf` or `occurrences`."""
        values: NDArray[Any] = self._arrays[f"{channel.key}/{name}"]
        return values

    def find_occurrences(
        self, channel: Channel, postings: NDArray[np.int64], positions: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Tell whether a posting's term stands at a position, shape (n,)."""
        return _find(self.array(channel, "occurrences"), (postings << 32) + positions) >= 0

    def _find_term(self, term: str, analyzer: AnalyzerName) -> int:
        """Bisect, and remember: the terms of queries are few beside those of documents."""
        known = self._term_numbers.get((analyzer, term))
        if known is None:
            known = _bisect(self._arrays[f"{analyzer}/terms"], term)
            self._term_numbers[analyzer, term] = known
        return known


@lru_cache(maxsize=64)
def open_index(path: str) -> CorpusIndex:
    """Map an index file; a worker process keeps the last 64 open, and reuses them between tasks.

    Args:
        path: The file; its name is the hash of its content, so an open index is never stale.
    """
    return CorpusIndex(unpack(pa.memory_map(path)))


def _find(ascending: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the place of each wanted value in an ascending array, -1 where it is not there."""
    if not len(ascending):
        return np.full(len(wanted), -1, dtype=np.int64)
    places = np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)
    return np.where(ascending[places] == wanted, places, -1)


def _find_in_runs(
    values: NDArray[np.int32], begin: NDArray[np.int64], end: NDArray[np.int64], wanted: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the place of each wanted value within its own ascending run of `values`, -1 where it is not there.

    All binary searches advance together: as many steps as the longest run has bits, each one gather.
    """
    if not len(values):
        return np.full(len(wanted), -1, dtype=np.int64)
    low, size = begin.copy(), end - begin
    for _ in range(int(size.max(initial=0)).bit_length()):
        half = size >> 1
        low += half * (values[low + half - 1] < wanted)
        size -= half
    low = np.minimum(low, len(values) - 1)
    return np.where((end > begin) & (values[low] == wanted), low, -1)


def _bisect(terms: pa.Array, term: str) -> int:
    """Find a term by its UTF-8 bytes, the order that Arrow sorts by."""
    wanted = term.encode()
    place = bisect_left(range(len(terms)), wanted, key=lambda number: terms[number].as_py().encode())
    return place if place < len(terms) and terms[place].as_py() == term else -1
