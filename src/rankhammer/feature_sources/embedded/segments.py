"""Segments: the searchable form of one batch of documents, and how all segments of a corpus become one index.

Postings stand document by document, so that putting segments together is concatenation, and the terms of one document
lie side by side in memory when a (query, document) pair asks for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rankhammer.analyzers import analyze_words, split_words
from rankhammer.errors import EngineError
from rankhammer.feature_sources.embedded.bm25 import length_to_byte

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rankhammer.analyzers import AnalyzerName, Tokens
    from rankhammer.feature_sources.embedded.bm25 import Bm25


def pack(arrays: Mapping[str, NDArray[Any] | pa.Array]) -> pa.Buffer:
    """Write arrays as an Arrow file with one row of lists.

    Args:
        arrays: Names to one-dimensional numpy arrays, or Arrow arrays of strings.

    Returns:
        The file's bytes.
    """
    columns = {name: _as_one_list(values) for name, values in arrays.items()}
    table = pa.table(columns)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def unpack(source: pa.Buffer | pa.MemoryMappedFile) -> dict[str, Any]:
    """Read what `pack` wrote without copying it.

    Args:
        source: The bytes, or a memory map of a file that holds them.

    Returns:
        Names to read-only numpy arrays, or to Arrow arrays of strings.
    """
    table = pa.ipc.open_file(source).read_all()
    return {name: _from_one_list(table.column(name)) for name in table.column_names}


def _as_one_list(values: NDArray[Any] | pa.Array) -> pa.Array:
    flat = values if isinstance(values, pa.Array) else pa.array(values)
    return pa.LargeListArray.from_arrays(np.array([0, len(flat)], dtype=np.int64), flat)


def _from_one_list(column: pa.ChunkedArray) -> Any:
    flat = column.chunk(0).flatten()
    return flat if pa.types.is_large_string(flat.type) else flat.to_numpy(zero_copy_only=True)


_INTEGERS = (np.int8, np.int16, np.int32, np.int64)


@dataclass(frozen=True)
class Channel:
    """One text field under one analyzer.

    Args:
        field: The text field.
        analyzer: How it becomes terms.
        with_positions: Whether phrases are asked of it: some 6 bytes more a token.
    """

    field: str
    analyzer: AnalyzerName
    with_positions: bool

    @property
    def key(self) -> str:
        """Prefix of this channel's arrays."""
        return f"{self.analyzer}/{self.field}"


def build_segment(
    doc_keys: NDArray[np.int64],
    texts: Mapping[str, Sequence[str | None]],
    numbers: Mapping[str, NDArray[np.float64]],
    channels: Sequence[Channel],
) -> pa.Buffer:
    """Make a batch of documents searchable.

    Args:
        doc_keys: 64-bit hash of each doc_id, shape (n_docs,).
        texts: Field name to one text per document, None where it has none.
        numbers: Field name to one number per document, NaN where it has none.
        channels: What to index; the channels of one analyzer share their terms.

    Returns:
        A packed segment.
    """
    arrays: dict[str, Any] = {"doc_keys": doc_keys}
    arrays |= {f"number/{field}": values for field, values in numbers.items()}
    words = {field: split_words(texts[field]) for field in dict.fromkeys(channel.field for channel in channels)}
    for channel in channels:
        postings = _postings(analyze_words(words[channel.field], channel.analyzer), len(doc_keys))
        arrays |= {f"{channel.key}/{name}": values for name, values in postings.items()}
        if not channel.with_positions:
            del arrays[f"{channel.key}/position"]
    return pack(arrays)


def merge_segments(segments: Sequence[pa.Buffer], channels: Sequence[Channel], bm25: Bm25) -> pa.Buffer:
    """Put a corpus's segments together as one index; the order of segments does not matter.

    Args:
        segments: What `build_segment` returned.
        channels: The same channels.
        bm25: Constants, folded into the weights.

    Returns:
        The packed index, read by `rankhammer.feature_sources.embedded.index`.
    """
    parts = sorted((unpack(segment) for segment in segments), key=lambda part: int(part["doc_keys"][0]))
    doc_keys = np.concatenate([part["doc_keys"] for part in parts])
    by_key = np.argsort(doc_keys, kind="stable")
    index: dict[str, Any] = {"doc_keys": doc_keys[by_key], "doc_number": _narrow(by_key)}
    for name in parts[0]:
        if name.startswith("number/"):
            index[name] = np.concatenate([part[name] for part in parts])
    for analyzer in dict.fromkeys(channel.analyzer for channel in channels):
        mine = [channel for channel in channels if channel.analyzer == analyzer]
        terms = _all_terms(parts, mine)
        index[f"{analyzer}/terms"] = terms
        for channel in mine:
            index |= _merge_channel(parts, channel, terms, bm25)
    return pack(index)


def _postings(tokens: Tokens, n_docs: int) -> dict[str, Any]:
    """Count terms per document: one posting for each (document, term), ascending by both."""
    n_terms = max(len(tokens.terms), 1)
    n_positions = int(tokens.position.max(initial=0)) + 1
    _require_narrow(n_docs * n_terms * n_positions)
    # One number a token, ascending by document, term and position: sorting numbers is ten times faster than an argsort.
    key = np.sort((tokens.text * np.int64(n_terms) + tokens.term) * n_positions + tokens.position)
    posting, position = np.divmod(key, n_positions)
    first = np.flatnonzero(np.diff(posting, prepend=-1))
    doc, term = np.divmod(posting[first], n_terms)
    return {
        "terms": tokens.terms,
        "n_postings": np.bincount(doc, minlength=n_docs).astype(np.int64),
        "term": _narrow(term),
        "tf": _narrow(np.diff(np.append(first, len(key)))),
        "position": _narrow(position),
    }


def _narrow(values: NDArray[np.int64]) -> NDArray[np.signedinteger[Any]]:
    """Store numbers from 0 up in as few bytes as the largest needs: less to ship, and more of it fits a cache."""
    largest = int(values.max(initial=0))
    return values.astype(next(kind for kind in _INTEGERS if largest <= np.iinfo(kind).max))


def _require_narrow(n_keys: int) -> None:
    """Only a batch of gigabytes gets here: documents x distinct terms x longest text beyond 63 bits."""
    if n_keys >= 1 << 63:
        raise EngineError(
            "A batch of documents is too large to index.",
            hint="Lower spark.sql.execution.arrow.maxRecordsPerBatch in spark.yml.",
        )


def _all_terms(parts: Sequence[Mapping[str, Any]], channels: Sequence[Channel]) -> pa.Array:
    terms = pc.unique(pa.chunked_array([part[f"{channel.key}/terms"] for part in parts for channel in channels]))
    return terms.take(pc.sort_indices(terms))


def _merge_channel(parts: Sequence[Mapping[str, Any]], channel: Channel, terms: pa.Array, bm25: Bm25) -> dict[str, Any]:
    """Concatenate one channel's postings and weigh its terms."""
    term = np.concatenate([_renumbered(part, channel, terms) for part in parts])
    tf = np.concatenate([part[f"{channel.key}/tf"] for part in parts])
    begin = np.concatenate([[0], np.cumsum(np.concatenate([part[f"{channel.key}/n_postings"] for part in parts]))])
    n_tokens = np.concatenate([[0], np.cumsum(tf, dtype=np.int64)])
    index = {"begin": begin, "term": term, "tf": tf, **_weights(term, np.diff(n_tokens[begin]), len(terms), bm25)}
    if channel.with_positions:
        index["position"] = np.concatenate([part[f"{channel.key}/position"] for part in parts])
        index["first_position"] = _narrow(n_tokens)
    return {f"{channel.key}/{name}": values for name, values in index.items()}


def _renumbered(part: Mapping[str, Any], channel: Channel, terms: pa.Array) -> NDArray[np.signedinteger[Any]]:
    """Replace a segment's term numbers by the corpus's; both ascend by the term, so postings stay sorted."""
    numbers = pc.index_in(part[f"{channel.key}/terms"], value_set=terms).to_numpy(zero_copy_only=False)
    renumbered: NDArray[np.signedinteger[Any]] = _narrow(numbers)[part[f"{channel.key}/term"]]
    return renumbered


def _weights(
    term: NDArray[np.signedinteger[Any]], lengths: NDArray[np.int64], n_terms: int, bm25: Bm25
) -> dict[str, NDArray[Any]]:
    n_docs = int(np.count_nonzero(lengths))
    return {
        "idf": bm25.idf(np.bincount(term, minlength=n_terms), n_docs),
        "length_code": length_to_byte(lengths),
        "norms": bm25.norms(float(lengths.sum()) / max(n_docs, 1)),
    }
