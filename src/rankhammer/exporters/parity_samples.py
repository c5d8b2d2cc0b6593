"""The vectors on which a booster and its export must agree: logged ones, absent features, and ties on thresholds."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import ExportError
from rankhammer.exporters.threshold_samples import Vectors, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rankhammer.exporters.base import TrainedRanker


@dataclass(frozen=True, eq=False)
class Logged:
    """Logged vectors with the query and the document that each is of.

    Args:
        features: float32, shape (n_rows, n_features), columns in the feature set's order.
        group: Query of each row, int64, shape (n_rows,).
        query: As typed, one per row.
        doc_id: One a row.
    """

    features: NDArray[np.float32]
    group: NDArray[np.int64]
    query: tuple[str, ...]
    doc_id: tuple[str, ...]


def logged_pairs(content: bytes, sample: Vectors, n_wanted: int) -> Logged:
    """Read which query and document logged vectors are of.

    Args:
        content: sample_vectors.json, with `query` and `doc_id` beside the vectors.
        sample: What `read_sample` read of it.
        n_wanted: Vectors at most, evenly spread.

    Raises:
        ExportError: It does not say.
    """
    written: dict[str, Any] = json.loads(content)
    if not all(len(written.get(key, ())) == len(sample.features) for key in ("query", "doc_id")):
        raise ExportError(
            "The sample vectors do not say which query and document they are of, so no engine can be asked.",
            hint="Run the training stage again.",
        )
    chosen = spread(len(sample.features), n_wanted)
    query, doc_id = (tuple(written[key][row] for row in chosen) for key in ("query", "doc_id"))
    return Logged(sample.features[chosen], sample.group[chosen], query, doc_id)


def parity_vectors(sample: Vectors, ranker: TrainedRanker, *, n_vectors: int, n_ties: int) -> Vectors:
    """Add vectors that try what logged ones may miss.

    Args:
        sample: Logged vectors.
        ranker: The trained ranker.
        n_vectors: Logged vectors to use at most, evenly spread.
        n_ties: Splits to test at most, evenly spread over all trees; each gives a vector on the threshold and one
            just below it, both made so that they reach the split.

    Returns:
        Logged vectors; copies with each feature in turn absent, and all of them; ties. Absent is NaN for a feature
        with `absent: keep`, else 0.
    """
    chosen = spread(len(sample.features), n_vectors)
    logged, group = sample.features[chosen], sample.group[chosen]
    missing = np.where([name in ranker.keep_absent for name in ranker.feature_set.names], np.nan, 0.0)
    parts = [(logged, group)]
    parts.append(_without_each(logged, group, missing.astype(np.float32)))
    parts.append(ranker.form.ties(logged, group, n_ties))
    counts = dict(zip(("logged", "absent", "tie"), (len(rows) for rows, _ in parts), strict=True))
    return Vectors(np.concatenate([rows for rows, _ in parts]), np.concatenate([qid for _, qid in parts]), counts)


def _without_each(
    rows: NDArray[np.float32], group: NDArray[np.int64], missing: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Copy up to four rows per feature with that feature absent, then with every feature absent."""
    n_features = rows.shape[1]
    some = spread(len(rows), 4)
    copies = np.tile(rows[some], (n_features + 1, 1))
    column = np.repeat(np.arange(n_features + 1), len(some))
    everywhere = column[:, None] == np.arange(n_features)[None, :]
    everywhere[column == n_features] = True
    return np.where(everywhere, missing[None, :], copies), np.tile(group[some], n_features + 1)
