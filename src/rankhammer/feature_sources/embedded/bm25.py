"""BM25 as Lucene computes it, lengths quantised to one byte included.

    score(q, d) = sum over t in q of  idf(t) * tf / (tf + k1 * (1 - b + b * length(d) / average length))
    idf(t) = ln(1 + (n - df + 0.5) / (df + 0.5))

n is the number of documents with at least one term in the field. Lucene 8 and later leave out the factor k1 + 1 that
the textbook has; OpenSearch 2 and Elasticsearch 8 still multiply by it (`k1_plus_1`).

References:
    S. Robertson and H. Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, FnTIR 3(4), 2009.
    Apache Lucene: BM25Similarity, and SmallFloat.intToByte4 for the lengths.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from numpy.typing import NDArray

_N_EXACT = 24
"""Lengths below this have a byte of their own; above, 3 bits of mantissa are kept, which is exact up to 40."""


class Bm25(StrictModel):
    """The constants of BM25.

    Args:
        k1: How slowly repeated terms saturate.
        b: How much long texts are held back, 0 to 1.
        flavour: Whether the factor k1 + 1 is left out (`lucene`) or kept (`k1_plus_1`).
    """

    k1: float = Field(1.2, ge=0, le=100, description="how slowly repeated terms saturate")
    b: float = Field(0.75, ge=0, le=1, description="how much long texts are held back")
    flavour: Literal["lucene", "k1_plus_1"] = Field(
        "lucene", description="`lucene` for OpenSearch 3 and Solr; `k1_plus_1` for OpenSearch 2 and Elasticsearch 8"
    )

    def idf(self, df: NDArray[np.int64], n_docs: int) -> NDArray[np.float64]:
        """Weigh terms by rarity, times the flavour's factor.

        Args:
            df: Documents that hold each term, shape (n_terms,).
            n_docs: Documents that hold any term of this field.

        Returns:
            float64, shape (n_terms,), above 0 wherever df <= n_docs.
        """
        factor = self.k1 + 1.0 if self.flavour == "k1_plus_1" else 1.0
        weights: NDArray[np.float64] = factor * np.log1p((n_docs - df + 0.5) / (df + 0.5))
        return weights

    def norms(self, average_length: float) -> NDArray[np.float64]:
        """Return k1 * (1 - b + b * length / average) for each of the 256 length bytes, float64, shape (256,)."""
        lengths = byte_to_length(np.arange(256, dtype=np.uint8))
        norms = self.k1 * (1.0 - self.b + self.b * lengths / max(average_length, 1e-9))
        return np.asarray(norms, dtype=np.float64)


def length_to_byte(lengths: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Quantise lengths downward as Lucene's SmallFloat.intToByte4 does.

    Args:
        lengths: Terms in a field, each 0 to 2^31 - 1, shape (n,).

    Returns:
        One byte each, ascending with the length, shape (n,).
    """
    above = np.maximum(np.asarray(lengths, dtype=np.int64) - _N_EXACT, 0)
    n_bits = np.frexp(above.astype(np.float64))[1]
    shift = np.maximum(n_bits - 4, 0)
    rounded = np.where(n_bits < 4, above, ((above >> shift) & 7) | ((shift + 1) << 3))
    return np.where(lengths < _N_EXACT, lengths, _N_EXACT + rounded).astype(np.uint8)


def byte_to_length(codes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the length that each byte stands for: the shortest that `length_to_byte` maps to it, shape (n,)."""
    code = codes.astype(np.int64)
    above = np.maximum(code - _N_EXACT, 0)
    shift = np.maximum((above >> 3) - 1, 0)
    decoded = np.where(above >> 3 == 0, above, ((above & 7) | 8) << shift)
    return np.where(code < _N_EXACT, code, _N_EXACT + decoded)
