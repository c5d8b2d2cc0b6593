"""A feature set as one search whose named clauses report their own scores: no plugin is needed on the engine.

Every text feature is a `should` clause with its name; `include_named_queries_score` makes the engine say what each
scored for each document. Stored numbers come as doc values, exact and free of what a score may not be (negative);
query lengths and expressions are computed here, as everywhere.

References:
    OpenSearch documentation, "Named queries"; Elasticsearch documentation, "Named queries" of the bool query.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.engines.remote.base import require_whole
from rankhammer.feature_sets import (
    Expression,
    FieldValue,
    Match,
    MatchedTerms,
    Phrase,
    QueryLength,
    Raw,
    TextFeature,
    own_query,
)
from rankhammer.feature_sets.analyzers import analyze_words, split_words
from rankhammer.feature_sets.raw_queries import fill
from rankhammer.feature_sets.text_queries import text_query
from rankhammer.feature_sets.values import expression, field_value, finish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.engines.remote.base import Search, Values
    from rankhammer.engines.remote.client import Client
    from rankhammer.engines.remote.options import SearchOptions
    from rankhammer.engines.remote.pace import Pace
    from rankhammer.feature_sets import Feature, FeatureSet

_PARAMETERS = (
    "search_type=dfs_query_then_fetch&include_named_queries_score=true&filter_path=timed_out,_shards.failed,"
    "_shards.failures.reason,hits.hits._id,hits.hits.matched_queries,hits.hits.fields"
)


@dataclass(frozen=True)
class NamedQueries:
    """Logging by named queries: one search a request, since OpenSearch's `_msearch` does not take the parameter.

    Args:
        options: Where the indices and fields are.
        feature_set: What to compute, with the engine's names of fields.
    """

    options: SearchOptions
    feature_set: FeatureSet
    max_docs: int = 5000
    """Below every engine's max_result_window (10,000)."""

    max_searches: int = 1

    @property
    def key(self) -> str:
        """See `base.FeatureLogging`."""
        given = self.options
        return "\n".join([given.url, given.index, self.feature_set.version])

    def prepare(self, client: Client) -> None:
        """Nothing has to be stored on the engine."""

    def ask(self, client: Client, searches: Sequence[Search], pace: Pace) -> list[Values]:
        """See `base.FeatureLogging`."""
        return [self._ask(client, search, pace) for search in searches]

    def _ask(self, client: Client, search: Search, pace: Pace) -> Values:
        body = search_body(self.feature_set, search.query, search.doc_ids)
        with pace:
            answer = client.ask("POST", search_path(self.options, search.corpus), body, on_busy=pace.refused)
            pace.answered(answer.duration_s, len(search.doc_ids))
        return read_answer(answer.body, self.feature_set, search.query, search.doc_ids)


def search_path(options: SearchOptions, corpus: str) -> str:
    """Return where a corpus is searched by named queries, with parameters."""
    return f"/{options.index_of(corpus)}/_search?{_PARAMETERS}"


def search_body(feature_set: FeatureSet, query: str, doc_ids: Sequence[str]) -> dict[str, Any]:
    """Write the search for one query and some documents.

    Args:
        feature_set: What to compute.
        query: As typed.
        doc_ids: `_id` of each document, at most `NamedQueries.max_docs`.
    """
    texts = [feature for feature in feature_set.features if isinstance(feature, TextFeature | Raw)]
    fields = dict.fromkeys(feature.field for feature in feature_set.features if isinstance(feature, FieldValue))
    return {
        "size": len(doc_ids),
        "_source": False,
        "track_total_hits": False,
        "query": {
            "bool": {"filter": [{"ids": {"values": list(doc_ids)}}], "should": [_clause(f, query) for f in texts]}
        },
        **({"docvalue_fields": list(fields)} if fields else {}),
    }


def read_answer(body: Any, feature_set: FeatureSet, query: str, doc_ids: Sequence[str]) -> Values:
    """Read the values of the documents that were asked for.

    Args:
        body: The engine's answer to `search_body`.
        feature_set: What was asked.
        query: What was asked.
        doc_ids: What was asked, each id once.

    Returns:
        Whether the engine has each document, shape (n_docs,); and float32 values, shape (n_docs, n_features).

    Raises:
        EngineError: The answer is not of all shards, or came late.
    """
    require_whole(body)
    place = {doc_id: number for number, doc_id in enumerate(doc_ids)}
    known = np.zeros(len(doc_ids), bool)
    names = {f.name: n for n, f in enumerate(feature_set.features) if isinstance(f, TextFeature | Raw)}
    fields = {f.field for f in feature_set.features if isinstance(f, FieldValue)}
    scores = np.full((len(doc_ids), len(feature_set.features)), np.nan)
    numbers = {field: np.full(len(doc_ids), np.nan) for field in fields}
    for hit in body.get("hits", {}).get("hits", []):
        row = place[hit["_id"]]
        known[row] = True
        for name, score in hit.get("matched_queries", {}).items():
            scores[row, names[name]] = score
        for field, found in hit.get("fields", {}).items():
            numbers[field][row] = found[0]
    return known, _values(feature_set, query, scores, numbers)


def _clause(feature: TextFeature | Raw, query: str) -> dict[str, Any]:
    if isinstance(feature, Raw):
        # Not every query takes a name: one that holds it alone has its score.
        return {"bool": {"should": [fill(own_query(feature), query)], "_name": feature.name}}
    clause = text_query(feature, query)
    for inner in clause.values():
        inner[feature.field]["_name"] = feature.name
    return clause


def _values(
    feature_set: FeatureSet, query: str, scores: NDArray[np.float64], numbers: dict[str, NDArray[np.float64]]
) -> NDArray[np.float32]:
    values: dict[str, NDArray[np.float32]] = {}
    for place, feature in enumerate(feature_set.features):
        values[feature.name] = finish(feature, _raw(feature, query, scores[:, place], numbers, values))
    return np.stack(list(values.values()), axis=1)


def _raw(
    feature: Feature,
    query: str,
    scores: NDArray[np.float64],
    numbers: dict[str, NDArray[np.float64]],
    values: dict[str, NDArray[np.float32]],
) -> NDArray[np.float64]:
    """Return one feature, NaN where it does not match."""
    match feature:
        case Match() | Phrase() | MatchedTerms() | Raw():
            return scores
        case FieldValue():
            return field_value(feature, numbers[feature.field])
        case QueryLength():
            n_terms = len(analyze_words(split_words([query]), feature.analyzer).term)
            return np.full(len(scores), float(n_terms))
        case Expression():
            return expression(feature, values, len(scores))
