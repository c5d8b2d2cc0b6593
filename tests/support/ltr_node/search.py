"""One search: the query, the rescore of its first documents, and the log of feature values."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ltr_node.queries import find_named
from ltr_node.refusals import bad, illegal, of_shards, only_keys

if TYPE_CHECKING:
    from ltr_node.queries import Evaluator

_KEYS = {"size", "from", "_source", "track_total_hits", "query", "rescore", "ext"}
_MAX_WINDOW = 10_000


def search(evaluator: Evaluator, index: str, docs: dict[str, dict], body: dict) -> dict:
    """Answer one search over an index."""
    for key in body:
        if key not in _KEYS:
            raise bad("parsing_exception", f"Unknown key for a START_OBJECT in [{key}].")
    size = body.get("size", 10)
    if size + body.get("from", 0) > _MAX_WINDOW:
        words = f"Result window is too large, from + size must be less than or equal to: [10000] but was [{size}]."
        raise of_shards(("illegal_argument_exception", words))
    _check_sltr(evaluator, body)
    scored = [(evaluator.score(body.get("query", {"match_all": {}}), i, source), i) for i, source in docs.items()]
    hits = sorted([(s, i) for s, i in scored if s is not None], key=lambda hit: -hit[0])
    if "rescore" in body:
        hits = _rescored(evaluator, docs, hits, body["rescore"])
    shown = hits[body.get("from", 0) :][:size]
    found = [_hit(evaluator, index, docs, body, hit) for hit in shown]
    total = {"value": len(hits), "relation": "eq"}
    shards = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
    return {"took": 1, "timed_out": False, "_shards": shards, "hits": {"total": total, "hits": found}}


def filtered(answer: object, filter_path: str) -> object:
    """Keep what the paths name; what is left empty goes, elements of lists too."""
    if not filter_path:
        return answer
    return _kept(answer, [path.split(".") for path in filter_path.split(",")]) or {}


def _kept(value: object, paths: list[list[str]]) -> object:
    if any(not path for path in paths):
        return value
    if isinstance(value, list):
        return [kept for part in value if (kept := _kept(part, paths))]
    if not isinstance(value, dict):
        return None
    found = {}
    for key, part in value.items():
        rest = [path[1:] for path in paths if path[0] in (key, "*")]
        kept = _kept(part, rest) if rest else None
        if kept not in (None, {}, []):
            found[key] = kept
    return found


def _check_sltr(evaluator: Evaluator, body: dict) -> None:
    """A query that names what is not there is refused even where no document is looked at."""
    waiting = [body.get("query"), body.get("rescore")]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if "sltr" in part:
                evaluator.sltr(part["sltr"])
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part


def _rescored(evaluator: Evaluator, docs: dict, hits: list, rescore: dict) -> list:
    only_keys(rescore, {"window_size", "query"}, "rescore")
    asked = rescore["query"]
    only_keys(asked, {"rescore_query", "query_weight", "rescore_query_weight", "score_mode"}, "query")
    first, second = asked.get("query_weight", 1.0), asked.get("rescore_query_weight", 1.0)
    window = rescore.get("window_size", 10)
    again = []
    for score, doc_id in hits[:window]:
        ranked = evaluator.score(asked["rescore_query"], doc_id, docs[doc_id]) or 0.0
        again.append((float(np.float32(first * score + second * ranked)), doc_id))
    return [*sorted(again, key=lambda hit: -hit[0]), *((first * score, doc_id) for score, doc_id in hits[window:])]


def _hit(evaluator: Evaluator, index: str, docs: dict, body: dict, hit: tuple[float, str]) -> dict:
    score, doc_id = hit
    # JSON has no word for what is no number.
    found: dict = {"_index": index, "_id": doc_id, "_score": score if math.isfinite(score) else None}
    if body.get("_source", True):
        found["_source"] = docs[doc_id]
    for spec in _log_specs(body):
        named = find_named(body.get("query"), spec["named_query"])
        if named is None:
            raise illegal(f"No query named [{spec['named_query']}] found")
        logged, _ = evaluator.values(evaluator.sltr(named), named.get("params", {}), doc_id, docs[doc_id])
        entries = [_entry(name, value, zero=spec.get("missing_as_zero", False)) for name, value in logged.items()]
        found.setdefault("fields", {"_ltrlog": [{}]})["_ltrlog"][0][spec["name"]] = entries
        found.setdefault("matched_queries", []).append(spec["named_query"])
    return found


def _log_specs(body: dict) -> list[dict]:
    ext = body.get("ext", {})
    only_keys(ext, {"ltr_log"}, "ext")
    if "ltr_log" not in ext:
        return []
    only_keys(ext["ltr_log"], {"log_specs"}, "ltr_log")
    specs = ext["ltr_log"]["log_specs"]
    for spec in specs if isinstance(specs, list) else [specs]:
        only_keys(spec, {"name", "named_query", "missing_as_zero"}, "log_specs")
    return specs if isinstance(specs, list) else [specs]


def _entry(name: str, value: float | None, *, zero: bool) -> dict:
    if value is None:
        return {"name": name, "value": 0.0} if zero else {"name": name}
    return {"name": name, "value": value if math.isfinite(value) else str(value).replace("nan", "NaN")}
