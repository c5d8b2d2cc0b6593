"""A stored ranker tried by a real search, and its scores held against those that its files give."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import EngineError
from rankhammer.feature_sets.values import as_trained
from rankhammer.search_engines.answer import reading

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.deploy.base import EngineTarget, ExportedRanker, SampleSearch
    from rankhammer.search_engines.client import Client

_STEPS = 4
"""Distances between neighbouring 32-bit floats at the size of the scores that are no difference."""


def try_ranker(client: Client, exported: ExportedRanker, sample: SampleSearch) -> dict[str, Any]:
    """Rerank a few documents and compare the engine's scores with the proved ones.

    Args:
        client: Asks the engine.
        exported: What was stored.
        sample: The search.

    Returns:
        query, n_documents and max_abs_difference.

    Raises:
        EngineError: The search fails, finds nothing, or its scores are not those of the files.
    """
    target = exported.target
    scores = reranked(client, target, exported.example, sample)
    log = target.log_request(exported, sample.of(list(scores))).send(client)
    with reading(log.where):
        known, values = target.logged(log.body, exported, list(scores))
    if not known.all():
        raise EngineError(
            f"{client.server.url}: documents of {sample.index!r} went away while the ranker was tried.",
            hint="Try again.",
        )
    trained = as_trained(values, exported.keep_absent)
    expected = exported.scorer.score(exported.files, trained, exported.feature_names)
    total = (expected.astype(np.float32) + np.float32(exported.constant)).astype(np.float64)
    worst = float(np.abs(total - np.array(list(scores.values()))).max())
    allowed = allowed_difference(exported)
    if not worst <= allowed:
        raise EngineError(
            f"{client.server.url} scores a document of {sample.index!r} {worst:.3g} differently from the ranker's "
            f"files do, tolerance {allowed:.3g}.",
            hint="Nothing was made active. See that every node has the same version of the plugin, and report this.",
        )
    return {"query": sample.query, "n_documents": len(scores), "max_abs_difference": worst}


def allowed_difference(exported: ExportedRanker) -> float:
    """Return how far scores may differ: the export's tolerance, or a few steps of a 32-bit float."""
    resolution = float(exported.manifest.get("score_resolution", 0.0))
    return max(float(exported.manifest["parity"]["tolerance"]), _STEPS * resolution)


def reranked(
    client: Client, target: EngineTarget, example: Mapping[str, Any], sample: SampleSearch
) -> dict[str, float]:
    """Return the documents of a reranked search and their scores, in order.

    Args:
        client: Asks the engine.
        target: The kind of engine.
        example: A ranker's example search.
        sample: What to search.

    Raises:
        EngineError: The search fails, finds nothing, or gives something that is no score.
    """
    with reading("The ranker's example search"):
        request = target.rerank_request(example, sample)
    answer = request.send(client)
    with reading(answer.where):
        scores = target.scores(answer.body)
    where = answer.where
    if not scores:
        raise EngineError(f"{where} finds no document, so the ranker could not be tried.", hint="Is the index empty?")
    wrong = [score for score in scores.values() if not math.isfinite(score)]
    if wrong:
        raise EngineError(
            f"{where} gives {wrong[0]:g} as a score; a score must be a number.",
            hint="Nothing was made active. Report this.",
        )
    return scores
