"""The gate before publishing: an export must score every vector as its booster does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import ExportError
from rankhammer.exporters.base import HasRoundingLimits, Traceable
from rankhammer.exporters.targets.scorer import float32
from rankhammer.mixed_model import MixedModel
from rankhammer.neural_model import NeuralModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rankhammer.exporters.base import Exporter, TrainedRanker
    from rankhammer.exporters.parts import Part
    from rankhammer.exporters.threshold_samples import Vectors

NOT_ASKED = "not asked"
"""What parity.json says under `engine` where no engine was to be asked."""
N_TRACED = 10
"""Vectors that are also walked one step at a time: 10,000 steps for 500 trees of depth 2, 40,000 of depth 8."""


def booster_scores(ranker: TrainedRanker, features: NDArray[np.float32]) -> NDArray[np.float32]:
    """Score vectors with the booster itself: margins, shape (n_rows,); NaN is an absent feature."""
    return _predicted(ranker, features, margin=True)


def check_logged_scores(ranker: TrainedRanker, vectors: Vectors, logged: NDArray[np.float32], tolerance: float) -> None:
    """Make sure that the model file is the ranker whose scores training logged.

    Raises:
        ExportError: It scores the logged vectors otherwise.
    """
    scores = _predicted(ranker, vectors.features, margin=False)
    worst = float(np.abs(scores - logged).max(initial=0.0))
    if not worst <= tolerance:
        raise ExportError(
            f"Corpus {ranker.corpus!r}: the model scores the logged vectors up to {worst:.3g} differently from training"
            f" logged, tolerance {tolerance:g}.",
            hint="Run the training stage again.",
            max_abs_difference=worst,
        )


def check_parity(
    exporter: Exporter, files: Mapping[str, bytes], ranker: TrainedRanker, vectors: Vectors, *, tolerance: float
) -> dict[str, Any]:
    """Compare a writer's files with the booster they were written from.

    Args:
        exporter: The writer, which scores by its engine's rules.
        files: What it wrote.
        ranker: The trained ranker.
        vectors: What to score.
        tolerance: Largest absolute difference of scores allowed.

    Returns:
        JSON-able facts: `n_vectors` by kind, `max_abs_difference`, `equal_share` (equal to the last bit),
        `order_kept` (share of neighbours in the booster's order, within a query, that the export orders alike),
        `n_traced` (vectors also walked step by step), `n_undecided` (made-up vectors left out because the engine cannot
        tell a value from a threshold), `tolerance`, `passed`.

    Raises:
        ExportError: A score differs by more than the tolerance; the feature that differs, and a tree's node, are
            named where the writer can tell.
    """
    compared = _compared(exporter, ranker, vectors)
    features = vectors.features[compared]
    expected = booster_scores(ranker, features).astype(np.float64)
    scores = exporter.score(files, features, ranker.feature_set.names)
    if np.shape(scores) != expected.shape:
        raise ExportError(
            f"Target {exporter.target}: {len(expected)} vectors got scores of shape {np.shape(scores)}.",
            hint="Report this to whoever provides the exporter.",
            target=exporter.target,
        )
    difference = np.abs(scores - expected)
    worst = int(np.argmax(np.where(np.isnan(difference), np.inf, difference)))
    if not difference[worst] <= tolerance:
        raise _difference_error(exporter, files, ranker, features[worst], (expected[worst], scores[worst]), tolerance)
    n_traced = _check_traced(exporter, files, ranker, features, scores, tolerance)
    return {
        "n_vectors": {**vectors.counts, "all": len(vectors.features)},
        "n_traced": n_traced,
        "n_undecided": int((~compared).sum()),
        "max_abs_difference": float(difference[worst]),
        "equal_share": float(np.mean(difference == 0)),
        "order_kept": order_kept(expected, scores, vectors.group[compared]),
        "tolerance": tolerance,
        "passed": True,
    }


def order_kept(expected: NDArray[np.float64], scores: NDArray[np.float64], group: NDArray[np.int64]) -> float:
    """Return the share of neighbours in the expected order that stand in the same order by score, 0 to 1.

    Args:
        expected: The booster's scores, shape (n_rows,).
        scores: The export's scores, shape (n_rows,).
        group: Query of each row; only rows of one query are neighbours.
    """
    order = np.lexsort((-expected, group))
    same_query = np.diff(group[order]) == 0
    before, after = np.sign(np.diff(expected[order])), np.sign(np.diff(scores[order]))
    return float(np.mean(before[same_query] == after[same_query])) if same_query.any() else 1.0


def _predicted(ranker: TrainedRanker, features: NDArray[np.float32], *, margin: bool) -> NDArray[np.float32]:
    if isinstance(ranker.opened, NeuralModel | MixedModel):
        return ranker.opened.score(features)
    from rankhammer.light_xgboost import xgb

    rows = xgb.DMatrix(features, missing=np.nan)
    scores: NDArray[np.float32] = ranker.booster.predict(rows, output_margin=margin, validate_features=False)
    return scores.reshape(len(features))


def _compared(exporter: Exporter, ranker: TrainedRanker, vectors: Vectors) -> NDArray[np.bool_]:
    """Leave out made-up vectors that the engine cannot decide; logged ones come first and always count."""
    compared = np.ones(len(vectors.features), np.bool_)
    if isinstance(exporter, HasRoundingLimits):
        compared = ~exporter.undecided(ranker, vectors.features)
        compared[: vectors.counts.get("logged", 0)] = True
    return compared


def _difference_error(
    exporter: Exporter,
    files: Mapping[str, bytes],
    ranker: TrainedRanker,
    row: NDArray[np.float32],
    scores: tuple[float, float],
    tolerance: float,
) -> ExportError:
    where = "Where they part cannot be told, because the exporter has no trace."
    if isinstance(exporter, Traceable):
        where = ranker.form.first_difference(row, exporter.trace(files, row[None, :], ranker.feature_set.names)[0])
    return ExportError(
        f"Corpus {ranker.corpus!r}, target {exporter.target}: the export scores {scores[1]:.9g} where the booster"
        f" scores {scores[0]:.9g} (tolerance {tolerance:g}). {where}".rstrip(),
        hint="Nothing was published for this corpus. Report this, with the ranker's folder.",
        corpus=ranker.corpus,
        target=exporter.target,
    )


def _check_traced(
    exporter: Exporter,
    files: Mapping[str, bytes],
    ranker: TrainedRanker,
    features: NDArray[np.float32],
    scores: NDArray[np.float64],
    tolerance: float,
) -> int:
    """Hold a few scores against a second, step-by-step walk through the same files."""
    if not isinstance(exporter, Traceable):
        return 0
    chosen = np.unique(np.linspace(0, len(features) - 1, N_TRACED).astype(np.int64))
    rows = exporter.trace(files, features[chosen], ranker.feature_set.names)
    for place, parts in zip(chosen.tolist(), rows, strict=True):
        total = total_of(ranker.form.base, parts)
        where = ranker.form.first_difference(features[place], parts)
        if where or not abs(total - scores[place]) <= tolerance:
            raise ExportError(
                f"Corpus {ranker.corpus!r}, target {exporter.target}: walked step by step, the export scores"
                f" {total:.9g} where it scored {scores[place]:.9g} at once. {where}".rstrip(),
                hint="Nothing was published for this corpus. Report this, with the ranker's folder.",
            )
    return len(chosen)


def total_of(base: float, parts: Sequence[Part]) -> float:
    """Add up what the parts of a model add, one after the other in 32-bit floats.

    Args:
        base: Score before the first part.
        parts: In order.
    """
    total = float32(base)
    for part in parts:
        total = float32(total + part.value)
    return total
