"""Feature values of a batch of (query, document) pairs: every pair and every term of it at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.analyzers import analyze_words, split_words
from rankhammer.feature_sets import Expression, FieldValue, Match, MatchedTerms, Phrase, QueryLength, TextFeature
from rankhammer.feature_sets.values import expression, field_value, finish
from rankhammer.feature_sources.embedded.segments import Channel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.analyzers import AnalyzerName, Words
    from rankhammer.feature_sets import Feature, FeatureSet
    from rankhammer.feature_sources.embedded.index import CorpusIndex


def score_pairs(
    index: CorpusIndex,
    queries: Sequence[str | None],
    query: NDArray[np.int64],
    docs: NDArray[np.int64],
    feature_set: FeatureSet,
) -> NDArray[np.float32]:
    """Compute a feature set for pairs of one corpus.

    Args:
        index: The corpus.
        queries: Distinct queries.
        query: Index into `queries`, shape (n_pairs,).
        docs: Document numbers, none of them -1, shape (n_pairs,).
        feature_set: What to compute, in order.

    Returns:
        float32, shape (n_pairs, n_features). A feature that does not match is 0.0, NaN where it says `absent: keep`.
    """
    by_doc = np.argsort(docs, kind="stable")  # neighbours in memory: a third faster, the values do not change
    pairs = _Pairs(index, queries, query[by_doc], docs[by_doc])
    values: dict[str, NDArray[np.float32]] = {}
    for feature in feature_set.features:
        values[feature.name] = finish(feature, _compute(feature, pairs, values))
    scored = np.empty((len(docs), len(values)), dtype=np.float32)
    scored[by_doc] = np.stack(list(values.values()), axis=1)
    return scored


def channels_of(feature_set: FeatureSet) -> tuple[Channel, ...]:
    """Return every (field, analyzer) that a feature set searches, each once."""
    searched = [feature for feature in feature_set.features if isinstance(feature, TextFeature)]
    phrases = {(feature.field, feature.analyzer) for feature in searched if isinstance(feature, Phrase)}
    keys = dict.fromkeys((feature.field, feature.analyzer) for feature in searched)
    return tuple(Channel(field, analyzer, (field, analyzer) in phrases) for field, analyzer in keys)


@dataclass(frozen=True)
class _Slots:
    """The terms of each pair's query, one entry a (pair, term), in pair and query order.

    pair, term (-1 when no document has it) and offset (from the query's first term), each of shape (n_slots,);
    n_terms of each pair's query, shape (n_pairs,).
    """

    pair: NDArray[np.int64]
    term: NDArray[np.int64]
    offset: NDArray[np.int64]
    n_terms: NDArray[np.int64]


class _Pairs:
    """A batch of pairs, with what several features of it share."""

    def __init__(
        self, index: CorpusIndex, queries: Sequence[str | None], query: NDArray[np.int64], docs: NDArray[np.int64]
    ) -> None:
        self.index = index
        self.docs = docs
        self._queries = queries
        self._query = query
        self._slots: dict[str, _Slots] = {}
        self._found: dict[str, NDArray[np.int64]] = {}

    def slots(self, analyzer: AnalyzerName) -> _Slots:
        """Analyse each distinct query once and spread its terms over its pairs."""
        if analyzer not in self._slots:
            self._slots[analyzer] = self._spread(analyzer)
        return self._slots[analyzer]

    def postings(self, channel: Channel) -> NDArray[np.int64]:
        """Look up the posting of every slot, -1 where there is none."""
        if channel.key not in self._found:
            slots = self.slots(channel.analyzer)
            found = self.index.find_postings(channel, self.docs[slots.pair], np.maximum(slots.term, 0))
            self._found[channel.key] = np.where(slots.term >= 0, found, -1)
        return self._found[channel.key]

    @cached_property
    def n_pairs(self) -> int:
        """Number of pairs in the batch."""
        return len(self.docs)

    @cached_property
    def _words(self) -> Words:
        return split_words(self._queries)

    def _spread(self, analyzer: AnalyzerName) -> _Slots:
        tokens = analyze_words(self._words, analyzer)
        term = self.index.find_terms(tokens.terms, analyzer)[tokens.term]
        n_terms = np.bincount(tokens.text, minlength=len(self._queries))
        first = np.cumsum(n_terms) - n_terms
        per_pair = n_terms[self._query]
        pair = np.repeat(np.arange(self.n_pairs), per_pair)
        before = np.cumsum(per_pair) - per_pair
        token = np.arange(len(pair)) + np.repeat(first[self._query] - before, per_pair)
        start = np.repeat(first[self._query], per_pair)
        position = tokens.position.astype(np.int64)
        return _Slots(pair, term[token], position[token] - position[start], per_pair)


def _compute(feature: Feature, pairs: _Pairs, values: dict[str, NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return one feature, NaN where it does not match."""
    match feature:
        case Match():
            return _match(pairs, Channel(feature.field, feature.analyzer, with_positions=False))
        case Phrase():
            return _phrase(pairs, Channel(feature.field, feature.analyzer, with_positions=True))
        case MatchedTerms():
            return _matched_terms(pairs, Channel(feature.field, feature.analyzer, with_positions=False))
        case FieldValue():
            return field_value(feature, pairs.index.number(feature.field)[pairs.docs])
        case QueryLength():
            return pairs.slots(feature.analyzer).n_terms.astype(np.float64)
        case Expression():
            return expression(feature, values, pairs.n_pairs)
    raise ValueError(f"the embedded engine has no {feature.type!r} features")


def _match(pairs: _Pairs, channel: Channel) -> NDArray[np.float64]:
    slots, postings = pairs.slots(channel.analyzer), pairs.postings(channel)
    hit = np.flatnonzero(postings >= 0)
    pair = slots.pair[hit]
    tf = pairs.index.array(channel, "tf")[postings[hit]]
    scores = pairs.index.array(channel, "idf")[slots.term[hit]] * pairs.index.weight(channel, pairs.docs[pair], tf)
    return _absent_where_zero(np.bincount(pair, weights=scores, minlength=pairs.n_pairs).astype(np.float64))


def _matched_terms(pairs: _Pairs, channel: Channel) -> NDArray[np.float64]:
    found = pairs.slots(channel.analyzer).pair[pairs.postings(channel) >= 0]
    return _absent_where_zero(np.bincount(found, minlength=pairs.n_pairs).astype(np.float64))


def _phrase(pairs: _Pairs, channel: Channel) -> NDArray[np.float64]:
    """Score exact phrases: the sum of all terms' idf times the weight of the phrase's frequency.

    A phrase of one term is that term's match, as in Lucene.
    """
    slots = pairs.slots(channel.analyzer)
    frequency = _phrase_frequency(pairs, channel)
    hit = np.flatnonzero(frequency)
    known = np.flatnonzero(slots.term >= 0)
    idf = pairs.index.array(channel, "idf")[slots.term[known]]
    idf_sum = np.bincount(slots.pair[known], weights=idf, minlength=pairs.n_pairs)
    scores = np.zeros(pairs.n_pairs)
    scores[hit] = idf_sum[hit] * pairs.index.weight(channel, pairs.docs[hit], frequency[hit])
    return _absent_where_zero(scores)


def _phrase_frequency(pairs: _Pairs, channel: Channel) -> NDArray[np.int64]:
    """Count the places where all terms of the query stand in order, shape (n_pairs,).

    Every place of the query's first term is a candidate; one pass a further term of the longest query drops those
    where that term does not follow at its offset.
    """
    slots, postings = pairs.slots(channel.analyzer), pairs.postings(channel)
    n_found = np.bincount(slots.pair, weights=postings >= 0, minlength=pairs.n_pairs)
    complete = np.flatnonzero((n_found == slots.n_terms) & (slots.n_terms > 0))
    first_slot = (np.cumsum(slots.n_terms) - slots.n_terms)[complete]
    anchor = postings[first_slot]
    begin = pairs.index.array(channel, "first_position")[anchor]
    tf = pairs.index.array(channel, "tf")[anchor].astype(np.int64)
    candidate = np.repeat(np.arange(len(complete)), tf)
    place = np.arange(len(candidate)) + np.repeat(begin - (np.cumsum(tf) - tf), tf)
    start = pairs.index.array(channel, "position")[place].astype(np.int64)
    n_terms = slots.n_terms[complete]
    for nth in range(1, int(n_terms.max(initial=0))):
        slot = first_slot[candidate] + np.minimum(nth, n_terms[candidate] - 1)
        follows = pairs.index.find_positions(channel, postings[slot], start + slots.offset[slot])
        candidate, start = candidate[follows], start[follows]
    frequency = np.zeros(pairs.n_pairs, dtype=np.int64)
    frequency[complete] = np.bincount(candidate, minlength=len(complete))
    return frequency


def _absent_where_zero(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """A match scores above 0, since idf and weight do."""
    return np.where(scores > 0, scores, np.nan)
