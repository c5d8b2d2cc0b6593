"""A corpus's index, memory-mapped: the workers of one machine share it, and only what is asked for is read."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.feature_sources.embedded.segments import unpack

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from rankhammer.analyzers import AnalyzerName
    from rankhammer.feature_sources.embedded.segments import Channel


class CorpusIndex:
    """Looks up documents, terms and postings of one corpus.

    Args:
        arrays: What `rankhammer.feature_sources.embedded.segments.merge_segments` packed.
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        self._arrays = arrays
        self._term_numbers: dict[str, dict[str, int]] = {}
        self._keys: NDArray[np.int64] | None = None

    @property
    def doc_keys(self) -> NDArray[np.int64]:
        """64-bit hashes of all doc_ids, ascending."""
        keys: NDArray[np.int64] = self._arrays["doc_keys"]
        return keys

    def find_docs(self, keys: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of each document, shape (n,); -1 for one that the corpus does not have."""
        ascending = self.doc_keys
        if not len(ascending):
            return np.full(len(keys), -1, dtype=np.int64)
        places = np.minimum(np.searchsorted(ascending, keys), len(ascending) - 1)
        return np.where(ascending[places] == keys, self._arrays["doc_number"][places], -1)

    def keys_of(self, docs: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the key of each document, by its number; shape (n,)."""
        if self._keys is None:
            self._keys = np.empty(len(self.doc_keys), np.int64)
            self._keys[self._arrays["doc_number"]] = self.doc_keys
        found: NDArray[np.int64] = self._keys[docs]
        return found

    def number(self, field: str) -> NDArray[np.float64]:
        """Return a number field, shape (n_docs,); NaN where a document has none."""
        values: NDArray[np.float64] = self._arrays[f"number/{field}"]
        return values

    def find_terms(self, terms: pa.Array, analyzer: AnalyzerName) -> NDArray[np.int64]:
        """Return the number of each distinct term, shape (n,); -1 for one that no document has.

        What was found is remembered: the terms of queries are few beside those of documents.
        """
        known = self._term_numbers.setdefault(analyzer, {})
        names = terms.to_pylist()
        new = [name for name in names if name not in known]
        if new:
            known |= zip(new, _find_strings(self._arrays.get(f"{analyzer}/terms"), new).tolist(), strict=True)
        return np.fromiter(map(known.__getitem__, names), np.int64, len(names))

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
        """Return one of a channel's arrays: `begin`, `term`, `tf`, `idf`, `position` or `first_position`."""
        values: NDArray[Any] = self._arrays[f"{channel.key}/{name}"]
        return values

    def find_positions(
        self, channel: Channel, postings: NDArray[np.int64], positions: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Tell whether a posting's term stands at a position, shape (n,)."""
        first = self.array(channel, "first_position")
        return _find_in_runs(self.array(channel, "position"), first[postings], first[postings + 1], positions) >= 0


@lru_cache(maxsize=64)
def open_index(path: str) -> CorpusIndex:
    """Map an index file; a worker process keeps the last 64 open, and reuses them between tasks.

    Args:
        path: The file; its name is the hash of its content, so an open index is never stale.
    """
    return CorpusIndex(unpack(pa.memory_map(path)))


def _find_in_runs(
    values: NDArray[np.signedinteger[Any]], begin: NDArray[Any], end: NDArray[Any], wanted: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the place of each wanted value within its own ascending run of `values`, -1 where it is not there."""
    if not len(values):
        return np.full(len(wanted), -1, dtype=np.int64)
    low = _bisect_together(begin, end, lambda places: values[places] < wanted)
    low = np.minimum(low, len(values) - 1)
    return np.where((end > begin) & (values[low] == wanted), low, -1)


def _find_strings(ascending: pa.Array | None, wanted: list[str]) -> NDArray[np.int64]:
    """Return the place of each wanted string in an array that ascends by UTF-8 bytes, -1 where it is not there."""
    if ascending is None or not len(ascending):
        return np.full(len(wanted), -1, dtype=np.int64)
    strings = pa.array(wanted, ascending.type)

    def compare(how: Callable[[pa.Array, pa.Array], pa.Array], places: NDArray[np.int64]) -> NDArray[np.bool_]:
        compared: NDArray[np.bool_] = how(ascending.take(pa.array(places)), strings).to_numpy(zero_copy_only=False)
        return compared

    begin, end = np.zeros(len(wanted), dtype=np.int64), np.full(len(wanted), len(ascending))
    low = _bisect_together(begin, end, lambda places: compare(pc.less, np.maximum(places, 0)))
    return np.where(compare(pc.equal, low), low, -1)


def _bisect_together(
    begin: NDArray[Any], end: NDArray[Any], is_less: Callable[[NDArray[np.int64]], NDArray[np.bool_]]
) -> NDArray[np.int64]:
    """Search many ascending runs at once: as many steps as the longest has bits, each one gather.

    Args:
        begin: Where each run begins, shape (n,).
        end: Where it ends, shape (n,).
        is_less: Compares what stands at one place a run with what is sought there. Asked of a place before its run
            where nothing is left to compare; the answer does not matter then.

    Returns:
        The last place of each run at or before which everything is less than what is sought, shape (n,).
    """
    low, size = begin.astype(np.int64), (end - begin).astype(np.int64)
    for _ in range(int(size.max(initial=0)).bit_length()):
        half = size >> 1
        low += half * is_less(low + half - 1)
        size -= half
    return low
