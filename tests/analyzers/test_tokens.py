from __future__ import annotations

import pytest

from rankhammer.analyzers import AnalyzerName, analyze
from rankhammer.analyzers import tokens as tokens_module
from rankhammer.analyzers.stop_words import STOP_WORDS


def words(text: str | None, analyzer: AnalyzerName = "standard") -> list[str]:
    tokens = analyze([text], analyzer)
    return [tokens.terms[number].as_py() for number in tokens.term]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't STOP", ["don't", "stop"]),
        ("os.path.join(a, b)", ["os.path.join", "a", "b"]),
        ("costs 1,000.50, or 3.", ["costs", "1,000.50", "or", "3"]),
        ("a,b a:b x-y v1.2 1.a", ["a", "b", "a:b", "x", "y", "v1.2", "1", "a"]),
        ("snake_case __init__ _ __", ["snake_case", "__init__"]),
        ("日本語 ひら カタカナx", ["日", "本", "語", "ひ", "ら", "カタカナ", "x"]),
        ("e\u0301te\u0301 한국어 мир", ["e\u0301te\u0301", "한국어", "мир"]),
        ("\U0001d518x 😀 𠀀𠀁", ["\U0001d518x", "𠀀", "𠀁"]),
        ("'quoted' .dot. ", ["quoted", "dot"]),
        ("two\nlines\ttabs", ["two", "lines", "tabs"]),
        ("", []),
        ("?!", []),
        (None, []),
    ],
)
def test_standard_splits_at_unicode_word_boundaries(text: str | None, expected: list[str]) -> None:
    assert words(text) == expected


def test_english_drops_possessives_stop_words_and_suffixes() -> None:
    assert words("The dog's Relational hopping, it's databases’s", "english") == ["dog", "relat", "hop", "databas"]


def test_a_dropped_stop_word_leaves_a_gap_in_the_positions() -> None:
    assert analyze(["state of the art"], "english").position.tolist() == [0, 3]


def test_tokens_say_which_text_they_stand_in_and_never_cross_texts() -> None:
    tokens = analyze(["a b", None, "", "b."], "standard")
    assert tokens.text.tolist() == [0, 0, 3]
    assert tokens.position.tolist() == [0, 1, 0]
    assert tokens.terms.to_pylist() == ["a", "b"]


def test_the_size_of_a_run_does_not_change_the_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["The quick fox", None, "quick dogs", "", "lazy ünïcode fox", "dog"]
    whole = analyze(texts, "english")
    monkeypatch.setattr(tokens_module, "_CHARS_AT_ONCE", 5)
    split = analyze(texts, "english")
    assert split.terms.equals(whole.terms)
    for name in ("term", "text", "position"):
        assert getattr(split, name).tolist() == getattr(whole, name).tolist()


def test_no_texts_give_no_tokens() -> None:
    assert len(analyze([], "english").term) == 0


def test_there_are_lucenes_33_stop_words() -> None:
    assert len(STOP_WORDS["english"]) == 33
