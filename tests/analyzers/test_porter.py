from __future__ import annotations

import pydoc_data.topics
import re

import pytest
import snowballstemmer

from rankhammer.analyzers.porter import porter_stem

# Examples of the paper, a few a step.
PAPER = {
    "caresses": "caress", "ponies": "poni", "cats": "cat", "feed": "feed", "agreed": "agre", "plastered": "plaster",
    "bled": "bled", "motoring": "motor", "sing": "sing", "conflated": "conflat", "sized": "size", "hopping": "hop",
    "falling": "fall", "hissing": "hiss", "fizzed": "fizz", "failing": "fail", "filing": "file", "happy": "happi",
    "sky": "sky", "relational": "relat", "conditional": "condit", "digitizer": "digit", "operator": "oper",
    "hopefulness": "hope", "sensibiliti": "sensibl", "triplicate": "triplic", "electrical": "electr",
    "revival": "reviv", "adjustment": "adjust", "adoption": "adopt", "probate": "probat", "rate": "rate",
    "cease": "ceas", "controll": "control", "roll": "roll",
}  # fmt: skip


@pytest.mark.parametrize(("word", "stem"), PAPER.items())
def test_the_papers_examples(word: str, stem: str) -> None:
    assert porter_stem(word) == stem


@pytest.mark.parametrize(("word", "stem"), [("possibly", "possibl"), ("technology", "technolog")])
def test_lucenes_two_departures(word: str, stem: str) -> None:
    assert porter_stem(word) == stem


def test_short_words_stay() -> None:
    assert [porter_stem(word) for word in ("", "s", "is", "as")] == ["", "s", "is", "as"]


def test_all_other_words_stem_as_snowballs_porter_does() -> None:
    words = sorted(set(re.findall("[a-z]{3,}", " ".join(pydoc_data.topics.topics.values()).lower())))[::2]
    departing = re.compile("(bli|bly|blies|logi|logy|logies)(s|es)?$")
    plain = [word for word in words if not departing.search(word)]
    assert len(plain) > 1000
    assert [porter_stem(word) for word in plain] == snowballstemmer.stemmer("porter").stemWords(plain)
