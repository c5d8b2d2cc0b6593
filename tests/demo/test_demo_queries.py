from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from rankhammer.demo.corpus import read_library
from rankhammer.demo.queries import KIND_SHARES, Intent, make_intents, pick_spellings, popularity
from rankhammer.queries import normalize_query


@pytest.fixture(scope="module")
def documents():
    return read_library({"tiny": ("json", "textwrap", "argparse", "shutil", "csv")})["tiny"]


@pytest.fixture(scope="module")
def intents(documents):
    return make_intents(documents, n_intents=80, rng=np.random.default_rng(3))


def test_every_spelling_of_an_intent_normalises_to_its_key(intents):
    for intent in intents:
        assert {normalize_query(spelling, "english", "words") for spelling in intent.spellings} == {intent.key}


def test_two_intents_never_share_a_key(intents):
    assert len({intent.key for intent in intents}) == len(intents) == 80


def test_intents_are_of_all_kinds_and_the_head_comes_first(intents):
    kinds = [intent.kind for intent in intents]
    assert set(kinds) == {"head", *KIND_SHARES}
    assert kinds == sorted(kinds, key=lambda kind: kind != "head")
    assert all(len(intent.key.split()) == 1 for intent in intents if intent.kind == "head")


def test_spellings_differ_in_case_white_space_and_number(intents):
    spelled = [spelling for intent in intents for spelling in intent.spellings]
    assert any(text.isupper() for text in spelled)
    assert any("  " in text for text in spelled)
    assert any("\u00a0" in text for text in spelled)
    assert any(f"{intent.spellings[0]}s" in intent.spellings for intent in intents)


def test_the_same_seed_gives_the_same_intents(documents, intents):
    assert make_intents(documents, n_intents=80, rng=np.random.default_rng(3)) == intents
    assert make_intents(documents, n_intents=80, rng=np.random.default_rng(4)) != intents


def test_popularity_falls_by_zipfs_law():
    shares = popularity(3, offset=1.0, exponent=1.0)
    total = 1 + 1 / 2 + 1 / 3
    assert shares == pytest.approx([1 / total, 1 / 2 / total, 1 / 3 / total])


def test_the_usual_spelling_is_three_times_as_frequent():
    typed = pick_spellings([Intent("a", "head", ("a", "A"))], np.zeros(8000, dtype=int), np.random.default_rng(1))
    assert Counter(typed)["a"] / 8000 == pytest.approx(3 / 4, abs=0.02)
