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
import orjson

from rankhammer.analyzers import analyze_words, split_words
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
from rankhammer.feature_sets.dialects.text_queries import require_plain_field, text_query
from rankhammer.feature_sets.raw_queries import fill
from rankhammer.feature_sets.values import expression, field_value, finish
from rankhammer.feature_sources.remote.base import require_whole
from rankhammer.search_engines.answer import reading
from rankhammer.search_engines.paths import path

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.feature_sets import Feature, FeatureSet
    from rankhammer.feature_sources.remote.base import FeatureSearch, Values
    from rankhammer.feature_sources.remote.concurrency_limit import Pace
    from rankhammer.feature_sources.remote.options import SearchOptions
    from rankhammer.search_engines.client import Client

_NOTHING: dict[str, Any] = {}
_PARAMETERS = (
    "search_type=dfs_query_then_fetch&include_named_queries_score=true&filter_path=timed_out,_shards.failed,"
    "_shards.failures.reason,hits.hits._id,hits.hits.matched_queries,hits.hits.fields"
)


@dataclass(frozen=True)
class NamedQueries:
    """Logging by named queries: one search a request, since OpenSearch's `_msearch` does not take the parameter.

    What is computed here takes numpy as long for ten searches as for one: hence `max_searches`.

    Args:
        options: Where the indices and fields are.
        feature_set: What to compute, with the engine's names of fields.
    """

    options: SearchOptions
    feature_set: FeatureSet
    max_docs: int = 5000
    """Below every engine's max_result_window (10,000)."""

    max_searches: int = 10

    @property
    def key(self) -> str:
        """See `base.FeatureLogging`."""
        given = self.options
        return "\n".join([given.url, given.index, self.feature_set.version])

    def __post_init__(self) -> None:
        """Refuse names of fields that would be read as a pattern.

        Raises:
            ConfigError: One would.
        """
        for feature in self.feature_set.features:
            if isinstance(feature, TextFeature | FieldValue):
                require_plain_field(feature)

    def prepare(self, client: Client) -> None:
        """Nothing has to be stored on the engine."""

    def ask(self, client: Client, searches: Sequence[FeatureSearch], pace: Pace) -> list[Values]:
        """See `base.FeatureLogging`."""
        answers = Answers(self.feature_set, searches)
        for number, search in enumerate(searches):
            body = self._ask(client, search, pace)
            with reading(f"A search of {client.server.url} for corpus {search.corpus!r}"):
                answers.read(number, body)
        return answers.values()

    def _ask(self, client: Client, search: FeatureSearch, pace: Pace) -> Any:
        body = orjson.dumps(search_body(self.feature_set, search.query, search.doc_ids))
        with pace:
            answer = client.ask("POST", search_path(self.options, search.corpus), body, on_busy=pace.refused)
            pace.answered(answer.duration_s, len(search.doc_ids))
        return answer.body


def search_path(options: SearchOptions, corpus: str) -> str:
    """Return where a corpus is searched by named queries, with parameters."""
    return f"{path(options.index_of(corpus), '_search')}?{_PARAMETERS}"


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


class Answers:
    """What the engine answered to some searches, taken in one by one and turned into values together.

    Args:
        feature_set: What was asked.
        searches: What was asked, each id once a search.
    """

    def __init__(self, feature_set: FeatureSet, searches: Sequence[FeatureSearch]) -> None:
        self._feature_set = feature_set
        self._searches = searches
        self._sizes = [len(search.doc_ids) for search in searches]
        self._ends = np.cumsum(self._sizes)
        n = sum(self._sizes)
        self._known = np.zeros(n, bool)
        texts = [feature.name for feature in feature_set.features if isinstance(feature, TextFeature | Raw)]
        fields = {feature.field for feature in feature_set.features if isinstance(feature, FieldValue)}
        self._scores = {name: np.full(n, np.nan) for name in texts}
        self._numbers = {field: np.full(n, np.nan) for field in fields}

    def read(self, number: int, body: Any) -> None:
        """Take in the answer to one search.

        Args:
            number: Place of the search.
            body: The engine's answer to its `search_body`.

        Raises:
            EngineError: The answer is not of all shards, or came late.
        """
        require_whole(body)
        first = int(self._ends[number]) - self._sizes[number]
        place = {doc_id: row for row, doc_id in enumerate(self._searches[number].doc_ids, first)}
        hits = body.get("hits", {}).get("hits", [])
        self._known[[place[hit["_id"]] for hit in hits]] = True
        # Most hits match few of the clauses, and numpy takes long for single numbers: hence views of its memory.
        scores: dict[str, Any] = {name: column.data for name, column in self._scores.items()}
        numbers: dict[str, Any] = {field: column.data for field, column in self._numbers.items()}
        for hit in hits:
            row = place[hit["_id"]]
            for name, score in hit.get("matched_queries", _NOTHING).items():
                scores[name][row] = score
            for field, stored in hit.get("fields", _NOTHING).items():
                numbers[field][row] = float(stored[0])

    def values(self) -> list[Values]:
        """Return, for each search, whether the engine has each document, and finished float32 values."""
        values: dict[str, NDArray[np.float32]] = {}
        for feature in self._feature_set.features:
            values[feature.name] = finish(feature, self._raw(feature, values))
        # Each feature's values stand side by side, as columns are written.
        together = np.stack(list(values.values())).T
        cuts = self._ends[:-1]
        return list(zip(np.split(self._known, cuts), np.split(together, cuts), strict=True))

    def _raw(self, feature: Feature, values: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
        """Return one feature of all documents, NaN where it does not match."""
        match feature:
            case Match() | Phrase() | MatchedTerms() | Raw():
                return self._scores[feature.name]
            case FieldValue():
                return field_value(feature, self._numbers[feature.field])
            case QueryLength():
                words = split_words([search.query for search in self._searches])
                terms = analyze_words(words, feature.analyzer)
                return np.repeat(np.bincount(terms.text, minlength=len(self._sizes)).astype(float), self._sizes)
            case Expression():
                return expression(feature, values, len(self._known))


def _clause(feature: TextFeature | Raw, query: str) -> dict[str, Any]:
    if isinstance(feature, Raw):
        # Not every query takes a name: one that holds it alone has its score.
        return {"bool": {"should": [fill(own_query(feature), query)], "_name": feature.name}}
    clause = text_query(feature, query)
    for inner in clause.values():
        inner[feature.field]["_name"] = feature.name
    return clause
