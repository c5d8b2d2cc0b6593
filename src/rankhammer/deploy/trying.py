"""A stored ranker tried by a real search, and its scores held against those that its files give."""

from __future__ import annotations

import copy
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.deploy.requests import Request
from rankhammer.engines.remote.base import require_whole
from rankhammer.engines.remote.plugin_logging import log_search, logged_values
from rankhammer.errors import EngineError
from rankhammer.exporters.ltr_features import search_params

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.deploy.package import Package
    from rankhammer.engines.remote.client import Client

_NOT_FOUND = 404
_STEPS = 4
"""Distances between neighbouring 32-bit floats at the size of the scores that are no difference."""


def require_index(client: Client, index: str) -> None:
    """Refuse to go on without the index that a ranker is tried on.

    Raises:
        EngineError: It is not there.
    """
    if index_request(index).send(client).status == _NOT_FOUND:
        raise EngineError(
            f"{client.server.url} has no index {index!r} to try the ranker on.",
            hint="Set `index` in deploy.yml, or --index; {corpus} in it stands for the ranker's corpus.",
        )


def index_request(index: str) -> Request:
    """Return the request that sees whether an index is there."""
    return Request("HEAD", f"/{index}", allowed=(_NOT_FOUND,))


def try_ranker(client: Client, package: Package, index: str, query: str, n_documents: int) -> dict[str, Any]:
    """Rerank a few documents and compare the engine's scores with the proved ones.

    Args:
        client: Asks the cluster.
        package: What was stored.
        index: Whose documents are reranked.
        query: As a user would type it.
        n_documents: How many.

    Returns:
        query, n_documents and max_abs_difference.

    Raises:
        EngineError: The search fails, finds nothing, or its scores are not those of the files.
    """
    scores = reranked(client, rescore_request(package.example, index, query, n_documents))
    log = log_request(package, index, query, list(scores)).send(client).body
    require_whole(log)
    known, values = logged_values(log, package.feature_names, list(scores))
    if not known.all():
        raise EngineError(
            f"{client.server.url}: documents of {index!r} went away while the ranker was tried.", hint="Try again."
        )
    expected = package.scorer.score(package.files, values.astype(np.float32), package.feature_names)
    total = (expected.astype(np.float32) + np.float32(package.manifest["constant"])).astype(np.float64)
    difference = np.abs(total - np.array(list(scores.values())))
    worst = float(difference.max())
    allowed = max(float(package.manifest["parity"]["tolerance"]), _STEPS * package.manifest["score_resolution"])
    if not worst <= allowed:
        raise EngineError(
            f"{client.server.url} scores a document of {index!r} {worst:.3g} otherwise than the ranker's files do, "
            f"tolerance {allowed:.3g}.",
            hint="Nothing was made active. See that every node has the same version of the plugin, and report this.",
        )
    return {"query": query, "n_documents": len(scores), "max_abs_difference": worst}


def reranked(client: Client, search: Request) -> dict[str, float]:
    """Return the documents of a reranked search and their scores, in order.

    Raises:
        EngineError: The search fails, finds nothing, or gives something that is no score of a rescore query.
    """
    body = search.send(client).body
    require_whole(body)
    hits = body.get("hits", {}).get("hits", [])
    scores = {hit["_id"]: math.nan if hit["_score"] is None else float(hit["_score"]) for hit in hits}
    where = f"{client.server.url}{search.path}"
    if not scores:
        raise EngineError(f"{where} finds no document, so the ranker could not be tried.", hint="Is the index empty?")
    if not all(score >= 0 and math.isfinite(score) for score in scores.values()):
        raise EngineError(
            f"{where} gives {min(scores.values()):g} as a score; a rescore query must give 0 or more.",
            hint="Nothing was made active. Report this.",
        )
    return scores


def rescore_request(example: Mapping[str, Any], index: str, query: str, n_documents: int) -> Request:
    """Make a search of a ranker's example: every document may come, those with the query's words first.

    Args:
        example: Content of rescore_query.json.
        index: Where to search.
        query: As typed.
        n_documents: Documents that are reranked and returned.
    """
    first, rescore = copy.deepcopy(example["query"]), copy.deepcopy(example["rescore"])
    if "multi_match" in first:
        first["multi_match"]["query"] = query
    ranked = rescore["query"]["rescore_query"]["sltr"]
    ranked["params"] = search_params(ranked["params"], query)
    body = {
        "size": n_documents,
        "_source": False,
        "query": {"bool": {"must": [{"match_all": {}}], "should": [first]}},
        "rescore": {**rescore, "window_size": n_documents},
    }
    return Request("POST", f"/{index}/_search", body, f"reranks for {query!r}; every score has to be right")


def log_request(package: Package, index: str, query: str, doc_ids: Sequence[str]) -> Request:
    """Return the search that logs the features of the documents that were reranked."""
    params = search_params(package.manifest["query_params"], query)
    body = log_search(package.name, package.store, params, doc_ids)
    return Request("POST", f"/{index}/_search", body, "the features of the documents that were reranked")
