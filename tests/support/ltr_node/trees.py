"""Models of type `model/xgboost+json`: what the plugin accepts, and how each of its versions scores."""

from __future__ import annotations

import json
import math

import numpy as np

from ltr_node.refusals import Refusal, bad

_KEYS = {"nodeid", "depth", "split", "split_condition", "yes", "no", "missing", "children", "leaf"}
_SPLIT = ("nodeid", "depth", "split", "split_condition", "yes", "no", "children")
_OBJECTIVES = {"rank:pairwise", "reg:linear", "binary:logistic", "binary:logitraw", "reg:logistic"}
_UNPARSED = ("parsing_exception", "Unable to parse XGBoost object")
MAX_DEFINITION = 50_000_000


def missing_rule(version: str) -> str:
    """What an absent feature is to the trees: 0.0; NaN that goes right; NaN that follows the node."""
    line = tuple(int(part) for part in version.split(".")[:2])
    return "zero" if line < (3, 2) else "right" if line < (3, 8) else "default"


def parse(definition: str | list | dict, names: list[str], version: str) -> list[dict]:
    """Return the trees of a definition, or refuse it."""
    if isinstance(definition, str) and len(definition) > MAX_DEFINITION:
        words = f"String value length ({len(definition)}) exceeds the maximum allowed ({MAX_DEFINITION}"
        raise bad("stream_constraints_exception", words)
    found = _read(definition) if isinstance(definition, str) else definition
    trees = _unwrap(found, version) if isinstance(found, dict) else found
    if not trees:
        raise bad("parsing_exception", "XGBoost model must define at lease one tree")
    for tree in trees:
        _check(tree, names, strict=missing_rule(version) == "default")
    return trees


def score(trees: list[dict], values: dict[str, float], rule: str) -> float:
    """Add up one leaf of each tree, in 32 bits and in order."""
    total = np.float32(0)
    for tree in trees:
        total = np.float32(total + np.float32(_leaf(tree, values, rule)))
    return float(total)


def _read(definition: str) -> list | dict:
    try:
        return json.loads(definition)
    except ValueError as exc:
        raise Refusal(
            400, ("illegal_argument_exception", "Cannot parse model"), ("json_parse_exception", str(exc))
        ) from exc


def _unwrap(found: dict, version: str) -> list:
    for key in found:
        if key not in {"objective", "splits"}:
            raise bad("x_content_parse_exception", f"[1:32] [xgboost_definition] unknown field [{key}]").inside(
                _UNPARSED
            )
    ranking = set() if version.startswith("2.") else {"rank:ndcg", "rank:map"}
    objective = found.get("objective")
    if objective not in {None, *_OBJECTIVES, *ranking}:
        outer = ("x_content_parse_exception", "[1:15] [xgboost_definition] failed to parse field [objective]")
        words = f"Objective [{objective}] is not a valid XGBoost objective"
        raise bad("illegal_argument_exception", words).inside(_UNPARSED, outer)
    return found.get("splits", [])


def _check(node: dict, names: list[str], *, strict: bool) -> None:
    """Refuse a node; versions that ignore `missing` store one that names no child."""
    for key in node:
        if key not in _KEYS:
            raise bad("x_content_parse_exception", f"[1:117] [node] unknown field [{key}]")
    if "leaf" in node:
        return
    if any(key not in node for key in _SPLIT):
        raise bad("parsing_exception", "This split does not have all the required fields")
    if node["split"] not in names:
        raise bad("parsing_exception", f"Unknown feature [{node['split']}]")
    ids = [child["nodeid"] for child in node["children"]]
    if ids != [node["yes"], node["no"]] or (strict and node.get("missing", node["no"]) not in ids):
        words = "Split structure is invalid, yes, no and/or missing branches does not point to the proper children."
        raise bad("parsing_exception", words)
    for child in node["children"]:
        _check(child, names, strict=strict)


def _leaf(node: dict, values: dict[str, float], rule: str) -> float:
    while "leaf" not in node:
        value = values[node["split"]]
        if math.isnan(value) and rule == "zero":
            value = 0.0
        left = bool(np.float32(value) < np.float32(node["split_condition"]))
        if math.isnan(value) and rule == "default":
            left = node.get("missing") == node["yes"]
        node = node["children"][0 if left else 1]
    return node["leaf"]
