"""A stored ranker tried by a real search, and its scores held against those that its files give."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.deploy.base import Asked, Target
    from rankhammer.deploy.package import Package
    from rankhammer.engines.remote.client import Client

_STEPS = 4
"""Distances between neighbouring 32-bit floats at the size of the scores that are no difference."""


def try_ranker(client: Client, package: Package, asked: Asked) -> dict[str, Any]:
    """Rerank a few documents and compare the engine's scores with the proved ones.

    Args:
        client: Asks the engine.
        package: What was stored.
        asked: The search.

    Returns:
        query, n_documents and max_abs_difference.

    Raises:
        EngineError: The search fails, finds nothing, or its scores are not those of the files.
    """
    target = package.target
    scores = reranked(client, target, package.example, asked)
    log = target.log_request(package, asked.of(list(scores))).send(client).body
    known, values = target.logged(log, package, list(scores))
    if not known.all():
        raise EngineError(
            f"{client.server.url}: documents of {asked.index!r} went away while the ranker was tried.",
            hint="Try again.",
        )
    expected = package.scorer.score(package.files, values.astype(np.float32), package.feature_names)
    total = (expected.astype(np.float32) + np.float32(package.constant)).astype(np.float64)
    worst = float(np.abs(total - np.array(list(scores.values()))).max())
    allowed = allowed_difference(package)
    if not worst <= allowed:
        raise EngineError(
            f"{client.server.url} scores a document of {asked.index!r} {worst:.3g} otherwise than the ranker's files "
            f"do, tolerance {allowed:.3g}.",
            hint="Nothing was made active. See that every node has the same version of the plugin, and report this.",
        )
    return {"query": asked.query, "n_documents": len(scores), "max_abs_difference": worst}


def allowed_difference(package: Package) -> float:
    """Return how far scores may differ: the export's tolerance, or a few steps of a 32-bit float."""
    resolution = float(package.manifest.get("score_resolution", 0.0))
    return max(float(package.manifest["parity"]["tolerance"]), _STEPS * resolution)


def reranked(client: Client, target: Target, example: Mapping[str, Any], asked: Asked) -> dict[str, float]:
    """Return the documents of a reranked search and their scores, in order.

    Args:
        client: Asks the engine.
        target: The kind of engine.
        example: A ranker's example search.
        asked: What to search.

    Raises:
        EngineError: The search fails, finds nothing, or gives something that is no score.
    """
    search = target.rerank_request(example, asked)
    scores = target.scores(search.send(client).body)
    where = f"{client.server.url}{search.path}"
    if not scores:
        raise EngineError(f"{where} finds no document, so the ranker could not be tried.", hint="Is the index empty?")
    wrong = [score for score in scores.values() if not math.isfinite(score)]
    if wrong:
        raise EngineError(
            f"{where} gives {wrong[0]:g} as a score; a score must be a number.",
            hint="Nothing was made active. Report this.",
        )
    return scores
