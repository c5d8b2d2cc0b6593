"""The vectorised index against the formula, one document and one term at a time; no Spark."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from rankhammer.analyzers import analyze
from rankhammer.feature_sets import FeatureSet
from rankhammer.feature_sources.embedded.bm25 import Bm25
from rankhammer.feature_sources.embedded.index import CorpusIndex
from rankhammer.feature_sources.embedded.scoring import channels_of, score_pairs
from rankhammer.feature_sources.embedded.segments import build_segment, merge_segments, unpack

WORDS = ["fox", "dog", "quick", "lazy", "jump", "over", "tree", "the", "of", "state", "art", "running"]


def feature_set(*features: dict[str, Any]) -> FeatureSet:
    return FeatureSet.model_validate({"name": "test", "features": list(features)})


MATCH = {"name": "body_bm25", "type": "match", "field": "body"}
PHRASE = {"name": "body_phrase", "type": "phrase", "field": "body"}


def make_index(
    texts: list[str | None], features: FeatureSet, bm25: Bm25 | None = None, n_segments: int = 1, **numbers: list[float]
) -> CorpusIndex:
    channels = channels_of(features)
    bounds = np.linspace(0, len(texts), n_segments + 1).astype(int)
    segments = [
        build_segment(
            np.arange(low, high, dtype=np.int64),
            {"body": texts[low:high]},
            {name: np.array(values[low:high], dtype=float) for name, values in numbers.items()},
            channels,
        )
        for low, high in pairwise(bounds)
    ]
    return CorpusIndex(unpack(merge_segments(segments[::-1], channels, bm25 or Bm25())))


def score(index: CorpusIndex, features: FeatureSet, pairs: list[tuple[str | None, int]]) -> np.ndarray:
    queries = list(dict.fromkeys(query for query, _ in pairs))
    query = np.array([queries.index(query) for query, _ in pairs], dtype=np.int64)
    return score_pairs(index, queries, query, np.array([doc for _, doc in pairs], dtype=np.int64), features)


def quantised(length: int) -> int:
    """SmallFloat.intToByte4 and back, bit by bit."""
    if length < 24:
        return length
    above, shift = length - 24, 0
    while above >> shift >= 16:
        shift += 1
    return 24 + ((above >> shift) << shift)


class Plain:
    """BM25 from the formula."""

    def __init__(self, texts: list[str | None], analyzer: str, k1: float = 1.2, b: float = 0.75) -> None:
        self.analyzer, self.k1, self.b = analyzer, k1, b
        self.docs = [self.tokens(text) for text in texts]
        with_field = [doc for doc in self.docs if doc]
        self.n, self.average = len(with_field), sum(map(len, with_field)) / max(len(with_field), 1)
        self.df = Counter(term for doc in self.docs for term in {term for term, _ in doc})

    def tokens(self, text: str | None) -> list[tuple[str, int]]:
        tokens = analyze([text], self.analyzer)  # type: ignore[arg-type]
        return [(tokens.terms[t].as_py(), int(p)) for t, p in zip(tokens.term, tokens.position, strict=True)]

    def idf(self, term: str) -> float:
        return math.log(1 + (self.n - self.df[term] + 0.5) / (self.df[term] + 0.5))

    def saturated(self, tf: int, doc: int) -> float:
        length = quantised(len(self.docs[doc]))
        return tf / (tf + self.k1 * (1 - self.b + self.b * length / self.average))

    def match(self, query: str, doc: int) -> float:
        tf = Counter(term for term, _ in self.docs[doc])
        return sum(self.idf(t) * self.saturated(tf[t], doc) for t, _ in self.tokens(query) if tf[t])

    def phrase(self, query: str, doc: int) -> float:
        wanted, standing = self.tokens(query), set(self.docs[doc])
        if not wanted:
            return 0.0
        first = wanted[0][1]
        starts = [place for term, place in self.docs[doc] if term == wanted[0][0]]
        tf = sum(all((term, start + place - first) in standing for term, place in wanted) for start in starts)
        return sum(self.idf(term) for term, _ in wanted) * self.saturated(tf, doc) if tf else 0.0


@pytest.mark.parametrize("analyzer", ["standard", "english"])
@pytest.mark.parametrize(("k1", "b"), [(1.2, 0.75), (0.9, 0.4)])
def test_match_and_phrase_equal_the_formula(analyzer: str, k1: float, b: float) -> None:
    draw = random.Random(3)
    texts = [" ".join(draw.choices(WORDS, k=draw.randint(1, 90))) for _ in range(150)] + [None, "", "the of"]
    queries = [" ".join(draw.choices([*WORDS, "unseen"], k=draw.randint(1, 4))) for _ in range(60)]
    pairs = [(draw.choice(queries), draw.randrange(len(texts))) for _ in range(2000)]
    features = feature_set({**MATCH, "analyzer": analyzer}, {**PHRASE, "analyzer": analyzer})
    index = make_index(texts, features, Bm25(k1=k1, b=b), n_segments=4)
    plain = Plain(texts, analyzer, k1, b)
    expected = np.array([[plain.match(query, doc), plain.phrase(query, doc)] for query, doc in pairs])
    assert (expected[:, 1] > 0).mean() > 0.1
    np.testing.assert_allclose(score(index, features, pairs), expected, rtol=0, atol=1e-6)


def test_the_other_flavour_scores_k1_plus_1_times_as_much() -> None:
    features = feature_set(MATCH, PHRASE)
    texts: list[str | None] = ["quick fox", "lazy dog runs", "fox"]
    pairs = [("quick fox", 0), ("fox", 2)]
    lucene = score(make_index(texts, features), features, pairs)
    older = score(make_index(texts, features, Bm25(flavour="k1_plus_1")), features, pairs)
    np.testing.assert_allclose(older, 2.2 * lucene, rtol=1e-6)


def test_a_repeated_query_word_counts_twice() -> None:
    features = feature_set(MATCH)
    index = make_index(["quick fox", "dog"], features)
    once, twice = score(index, features, [("fox", 0), ("fox fox", 0)])[:, 0]
    assert twice == pytest.approx(2 * once)


def test_a_phrase_needs_its_order_and_its_gaps() -> None:
    features = feature_set(PHRASE)
    index = make_index(["state of the art", "art state", "state art"], features)
    query = "state of the art"
    assert (score(index, features, [(query, 0), (query, 1), (query, 2)])[:, 0] > 0).tolist() == [True, False, False]


def test_a_phrase_never_runs_from_one_document_into_the_next() -> None:
    features = feature_set(PHRASE)
    index = make_index(["dog quick", "fox dog"], features)
    assert score(index, features, [("quick fox", 0), ("quick fox", 1)])[:, 0].tolist() == [0.0, 0.0]


def test_a_phrase_of_one_word_is_a_match() -> None:
    features = feature_set(MATCH, PHRASE)
    values = score(make_index(["quick fox", "dog"], features), features, [("fox", 0)])
    assert values[0, 0] == values[0, 1] > 0


@pytest.mark.parametrize("query", ["", None, "the of", "unseen words", "?"])
def test_a_query_that_matches_nothing_is_zero_and_nan_where_absence_is_kept(query: str | None) -> None:
    kept = [{**MATCH, "name": "m", "absent": "keep"}, {**PHRASE, "name": "p", "absent": "keep"}]
    features = feature_set(MATCH, PHRASE, *kept)
    values = score(make_index(["quick fox"], features), features, [(query, 0)])[0]
    assert values[:2].tolist() == [0.0, 0.0]
    assert np.isnan(values[2:]).all()


def test_query_length_counts_the_analyzers_terms_and_needs_no_text_field() -> None:
    features = feature_set(
        {"name": "english_length", "type": "query_length"},
        {"name": "standard_length", "type": "query_length", "analyzer": "standard"},
    )
    values = score(make_index(["fox"], features), features, [("the quick fox", 0), ("", 0)])
    assert values.tolist() == [[2.0, 3.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("modifier", "expected"),
    [("none", 99.0), ("log1p", math.log10(100)), ("ln1p", math.log(100)), ("sqrt", math.sqrt(99))],
)
def test_modifiers_are_those_of_the_engines(modifier: str, expected: float) -> None:
    features = feature_set({"name": "sold", "type": "field_value", "field": "sold", "modifier": modifier})
    index = make_index(["a"], features, sold=[99.0])
    assert score(index, features, [("x", 0)])[0, 0] == pytest.approx(expected)


def test_a_missing_number_is_modified_like_any_other_or_kept_absent() -> None:
    sold = {"type": "field_value", "field": "sold", "modifier": "log1p", "missing": 9}
    features = feature_set({"name": "filled", **sold}, {"name": "kept", "absent": "keep", **sold})
    filled, kept = score(make_index(["a", "b"], features, sold=[math.nan, 1.0]), features, [("x", 0)])[0]
    assert filled == pytest.approx(math.log10(9 + 1))
    assert math.isnan(kept)


def test_expressions_read_what_earlier_features_became() -> None:
    features = feature_set(
        MATCH,
        {"name": "sold", "type": "field_value", "field": "sold"},
        {"name": "both", "type": "expression", "expression": "body_bm25 + 2 * sold"},
        {"name": "ratio", "type": "expression", "expression": "both / body_bm25"},
        {"name": "ratio_or_nan", "type": "expression", "expression": "both / body_bm25", "absent": "keep"},
    )
    values = score(make_index(["fox", "dog"], features, sold=[3.0, 4.0]), features, [("fox", 0), ("fox", 1)])
    assert values[0, 2] == pytest.approx(values[0, 0] + 6)
    assert values[0, 3] == pytest.approx(values[0, 2] / values[0, 0])
    assert values[1, 2:4].tolist() == [8.0, 0.0]
    assert math.isnan(values[1, 4])


def test_neither_the_number_nor_the_order_of_segments_changes_the_index() -> None:
    features = feature_set(MATCH, PHRASE)
    texts = ["quick fox", "lazy dog", None, "fox fox jump", "running dogs", "over the tree"]
    channels = channels_of(features)
    parts = [build_segment(np.array([key], dtype=np.int64), {"body": [texts[key]]}, {}, channels) for key in range(6)]
    whole = build_segment(np.arange(6), {"body": texts}, {}, channels)
    merged = merge_segments([whole], channels, Bm25()).to_pybytes()
    assert merge_segments(parts[::-1], channels, Bm25()).to_pybytes() == merged
    assert merge_segments([parts[i] for i in (3, 1, 5, 0, 2, 4)], channels, Bm25()).to_pybytes() == merged


def test_documents_are_found_by_their_keys_however_segments_interleave() -> None:
    features = feature_set(MATCH, PHRASE)
    keys = np.array([50, -7, 3, 2**60, -(2**61), 8], dtype=np.int64)
    texts = ["quick fox", "lazy dog", "über straße", "fox fox jump", "running dogs", "zebra fox"]
    channels = channels_of(features)
    cuts = [[0, 1, 2, 3, 4, 5], [2, 0], [5, 4], [1, 3]]
    parts = [build_segment(keys[cut], {"body": [texts[i] for i in cut]}, {}, channels) for cut in cuts]
    asked = [
        ("quick fox", 0),
        ("straße über", 2),
        ("über", 2),
        ("zebra nowhere", 5),
        ("fox", 3),
        ("dog", 1),
        ("dog", 4),
    ]
    scored = []
    for segments in (parts[:1], parts[1:]):
        index = CorpusIndex(unpack(merge_segments(segments, channels, Bm25())))
        assert index.find_docs(np.array([1, 2**62, -(2**62)])).tolist() == [-1, -1, -1]
        docs = index.find_docs(keys)
        scored.append(score(index, features, [(query, int(docs[doc])) for query, doc in asked]))
    assert np.array_equal(*scored)
    assert (scored[0][:, 0] > 0).all()


def test_a_corpus_without_any_text_scores_zero() -> None:
    features = feature_set(MATCH, PHRASE)
    assert score(make_index([None, ""], features), features, [("fox", 0), ("fox", 1)]).tolist() == [[0, 0], [0, 0]]
