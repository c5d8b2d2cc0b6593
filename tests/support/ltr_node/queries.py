"""Queries: whether a document matches, and what it scores."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from ltr_node.refusals import bad, of_shards, only_keys
from ltr_node.templates import evaluate, names_in, render
from ltr_node.trees import score as score_trees
from ltr_node.weights import score as score_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from ltr_node.store import Ranked

_MODIFIERS = {
    "none": lambda number: number,
    "log1p": lambda number: math.log10(number + 1),
    "ln1p": math.log1p,
    "sqrt": math.sqrt,
}


class Evaluator:
    """Scores documents of one index by the rules of one version.

    Args:
        stores: Store name to its content.
        version: Of the plugin.
        look_up: Called before a feature set or a model is looked up in the store.
    """

    def __init__(self, stores: dict, version: str, look_up: Callable[[], None] = lambda: None) -> None:
        self._stores = stores
        self._look_up = look_up
        self._version = version
        # k1 + 1, which one line's BM25 has and the other has not.
        self._factor = 2.2 if version.startswith("2.") else 1.0

    def score(self, query: dict, doc_id: str, source: dict) -> float | None:
        """Return a document's score, None where it does not match."""
        ((kind, body),) = query.items() if len(query) == 1 else [("", {})]
        handler = getattr(self, f"_{kind}", None)
        if handler is None:
            unknown = bad("named_object_not_found_exception", f"[1:11] unknown field [{kind}]")
            raise unknown.inside(("parsing_exception", f"unknown query [{kind}]"))
        found = handler(body, doc_id, source)
        return None if found is None else float(np.float32(found))

    def sltr(self, body: dict) -> Ranked:
        """Look the feature set or the model of an sltr query up, and check the query."""
        only_keys(body, {"_name", "boost", "featureset", "model", "store", "params"}, "sltr", "parsing_exception")
        if ("model" in body) == ("featureset" in body):
            raise bad("parsing_exception", "Either [model] or [featureset] must be specified")
        ranked = self._lookup(body)
        for feature in ranked.features:
            if feature["template_language"] == "mustache":
                render(feature, body.get("params", {}))
        return ranked

    def values(self, ranked: Ranked, params: dict, doc_id: str, source: dict) -> tuple[dict, dict]:
        """Return feature values as they are logged (None: no value), and as a model's trees see them."""
        logged: dict[str, float | None] = {}
        seen: dict[str, float] = {}
        for feature in ranked.features:
            name, language = feature["name"], feature["template_language"]
            if language == "mustache":
                value = self.score(render(feature, params), doc_id, source)
                logged[name], seen[name] = value, math.nan if value is None else value
            elif language == "derived_expression":
                logged[name], seen[name] = self._derived(feature["template"], params, logged)
            else:
                raise of_shards(("illegal_argument_exception", f"Template language [{language}] is not supported"))
        return logged, seen

    def _lookup(self, body: dict) -> Ranked:
        self._look_up()
        store = self._stores.get(body.get("store", "_default_"))
        kind = "model" if "model" in body else "featureset"
        name = body[kind]
        found = store.ranked(kind, name) if store else None
        if found is not None:
            return found
        words = f"Unknown {kind} [{name}]"
        inner = [
            ("i_o_exception", f"ResourceNotFoundException[{words}]"),
            ("resource_not_found_exception", words),
        ]
        if kind == "model" and self._version.startswith("2."):
            raise of_shards(inner[0], *inner, status=500)
        raise of_shards(("query_shard_exception", f"failed to create query: {inner[0][1]}"), *inner)

    def _derived(self, text: str, params: dict, logged: dict) -> tuple[float, float]:
        names = names_in(text)
        numbers = {name: float(params[name]) if name in params else logged[name] or 0.0 for name in names}
        with np.errstate(over="ignore"):
            value = float(np.float32(evaluate(text, numbers)))
        hides = any(name in logged and logged[name] is None for name in names) and not self._version.startswith("2.")
        return value, math.nan if hides else value

    def _sltr(self, body: dict, doc_id: str, source: dict) -> float:
        ranked = self.sltr(body)
        logged, seen = self.values(ranked, body.get("params", {}), doc_id, source)
        if ranked.weights is not None:
            return score_weights(ranked.weights, logged)
        if ranked.trees is None:
            return sum(value or 0.0 for value in logged.values())
        return score_trees(ranked.trees, seen, ranked.rule)

    def _match_all(self, body: dict, doc_id: str, source: dict) -> float:
        only_keys(body, {"boost", "_name"}, "match_all")
        return float(body.get("boost", 1.0))

    def _match(self, body: dict, doc_id: str, source: dict) -> float | None:
        wanted, words = _words_asked(body, source)
        ((_, asked),) = body.items()
        if isinstance(asked, dict) and "fuzziness" in asked:
            return float(_exact(asked) and sum(word in words for word in wanted)) or None
        counts = [words.count(word) for word in wanted]
        if not any(counts):
            return None
        return sum(self._weight(word, n, words) for word, n in zip(wanted, counts, strict=True) if n)

    def _constant_score(self, body: dict, doc_id: str, source: dict) -> float | None:
        only_keys(body, {"filter", "boost", "_name"}, "constant_score")
        found = self.score(body["filter"], doc_id, source)
        return None if found is None else float(body.get("boost", 1.0))

    def _match_phrase(self, body: dict, doc_id: str, source: dict) -> float | None:
        wanted, words = _words_asked(body, source)
        n = sum(words[place : place + len(wanted)] == wanted for place in range(len(words)))
        return sum(self._weight(word, n, words) for word in wanted) if wanted and n else None

    def _multi_match(self, body: dict, doc_id: str, source: dict) -> float | None:
        only_keys(body, {"query", "fields"}, "multi_match")
        scores = [self._match({field: body["query"]}, doc_id, source) for field in body["fields"]]
        return max((score for score in scores if score is not None), default=None)

    def _weight(self, word: str, n: int, words: list[str]) -> float:
        return self._factor * math.log(2 + len(word)) * n / (n + 0.5 + 0.1 * len(words))

    def _bool(self, body: dict, doc_id: str, source: dict) -> float | None:
        only_keys(body, {"must", "should", "filter", "must_not"}, "bool")
        parts = {key: [self.score(q, doc_id, source) for q in _listed(body.get(key, []))] for key in body}
        must, may, only = (parts.get(key, []) for key in ("must", "should", "filter"))
        if None in must or None in only or any(score is not None for score in parts.get("must_not", [])):
            return None
        found = [score for score in may if score is not None]
        if may and not must and not only and not found:
            return None
        return sum([*must, *found])

    def _function_score(self, body: dict, doc_id: str, source: dict) -> float | None:
        only_keys(body, {"query", "boost_mode", "field_value_factor"}, "function_score")
        factor = body["field_value_factor"]
        only_keys(factor, {"field", "modifier", "missing", "factor"}, "field_value_factor")
        if self.score(body["query"], doc_id, source) is None:
            return None
        number = source.get(factor["field"], factor.get("missing"))
        if number is None:
            raise of_shards(("exception", f"Missing value for field [{factor['field']}]"))
        value = _MODIFIERS[factor.get("modifier", "none")](float(number)) if number > -1 else -1.0
        if value < 0:
            words = f"field value function must not produce negative scores, but got: [{value}]"
            raise of_shards(("illegal_argument_exception", words))
        return value

    def _exists(self, body: dict, doc_id: str, source: dict) -> float | None:
        only_keys(body, {"field"}, "exists")
        return 1.0 if source.get(body["field"]) is not None else None

    def _ids(self, body: dict, doc_id: str, source: dict) -> float | None:
        only_keys(body, {"values"}, "ids")
        return 1.0 if doc_id in body["values"] else None

    def _terms(self, body: dict, doc_id: str, source: dict) -> float | None:
        only_keys(body, {"_id"}, "terms")
        if len(body["_id"]) > 65_536:
            words = f"The number of terms [{len(body['_id'])}] used in the Terms Query request has exceeded the allowed"
            raise of_shards(("query_shard_exception", f"failed to create query: {words}"))
        return 1.0 if doc_id in body["_id"] else None


def find_named(query: object, name: str) -> dict | None:
    """Return the sltr query that bears a name, wherever it stands."""
    if isinstance(query, list):
        return next((found for part in query if (found := find_named(part, name))), None)
    if not isinstance(query, dict):
        return None
    if isinstance(query.get("sltr"), dict) and query["sltr"].get("_name") == name:
        return query["sltr"]
    return find_named(list(query.values()), name)


def _words_asked(body: dict, source: dict) -> tuple[list[str], list[str]]:
    ((field, asked),) = body.items()
    if isinstance(asked, dict):
        only_keys(asked, {"query", "analyzer", "boost", "_name", "fuzziness", "fuzzy_rewrite"}, "match")
        if asked.get("analyzer", "standard") not in ("standard", "english"):
            raise of_shards(("query_shard_exception", f"[match] analyzer [{asked['analyzer']}] not found"))
    text = asked["query"] if isinstance(asked, dict) else asked
    stored = source.get(field, source.get(field.rpartition(".")[0]))
    return _words(str(text)), _words(str(stored or ""))


def _exact(asked: dict) -> bool:
    """Take the one kind of fuzzy match that is none: no difference, and a score of 1 a term."""
    if (asked["fuzziness"], asked.get("fuzzy_rewrite")) != (0, "constant_score_boolean"):
        raise of_shards(("illegal_argument_exception", f"fuzzy match {asked} is not known here"))
    return True


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _listed(queries: dict | list) -> list:
    return queries if isinstance(queries, list) else [queries]
