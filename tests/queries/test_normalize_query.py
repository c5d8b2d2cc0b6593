from __future__ import annotations

import pytest

from rankhammer.errors import ConfigError
from rankhammer.queries import normalize_query, query_cluster_id


@pytest.mark.parametrize(
    "spelling",
    ["read file", "Reading Files", "  READING\tfiles ", "reading\u00a0\u3000files", "ｒｅａｄｉｎｇ ﬁles"],
)
def test_spellings_that_differ_in_case_width_space_or_ending_are_one_query(spelling):
    assert normalize_query(spelling, "english") == "read file"


@pytest.mark.parametrize(
    ("spelling", "twin"),
    [
        ("men's shoes", "men\u2019s shoes"),
        ("men's shoes", "men\uff07s\u00a0shoes"),
        ("men's shoes", "men\u00b4s shoes"),
        ('27" tv', "27\u2033 tv"),
        ("wi-fi", "wi\u2011fi"),
        ("wi-fi", "wi\u2013fi"),
        ("reading files", "\ufeffread\u00ading \u200bfiles\u200e"),
        ("reading files", "rea\u2060ding\x00 files\ufe0f\U000e0020"),
        ("caf\u00e9", "cafe\u0301"),
        ("files", "fi\u034fles\u3164"),
        ("read files", "read\u2800files"),
    ],
)
def test_spellings_that_look_alike_are_one_query(spelling, twin):
    assert normalize_query(spelling, "english") == normalize_query(twin, "english")
    assert normalize_query(normalize_query(twin, "english"), "english") == normalize_query(twin, "english")


def test_a_query_without_anything_to_see_is_blank():
    assert normalize_query("\u200b\u2060\ufeff\x00", "english") == ""


def test_by_words_a_word_longer_than_words_are_is_not_stemmed():
    assert normalize_query(f"{'files' * 80_000} files", "english", "words") == f"{'files' * 80_000} file"


@pytest.mark.parametrize("language", ["english", "russian", "cjk", "turkish"])
def test_a_word_of_any_length_takes_no_time(language):
    assert normalize_query(f"{'b' * 400_000} b", language).endswith("b b")


def test_a_query_is_what_the_languages_analyzer_makes_of_it():
    assert normalize_query("The reading-FILES!", "english") == "read file"
    assert normalize_query("l'avion des nations", "french") == "avion nation"
    assert normalize_query("\u65e5\u672c\u8a9e", "cjk") == "\u65e5\u672c \u672c\u8a9e"


@pytest.mark.parametrize(
    ("query", "form"), [("To BE  or not to be", "to be or not to be"), ("???", "???"), ("\uff1f!", "?!")]
)
def test_a_query_without_terms_keeps_its_own_form(query, form):
    assert normalize_query(query, "english") == form


def test_by_words_stop_words_and_signs_stay():
    assert normalize_query("The reading-FILES C++", "english", "words") == "the reading-fil c++"
    assert normalize_query("Files", "standard", "words") == "files"


def test_word_order_and_words_still_matter():
    assert normalize_query("files read", "english") != normalize_query("read files", "english")


def test_stems_are_those_of_the_language():
    assert normalize_query("Häuser", "german") == "haus"
    assert normalize_query("Häuser", "english") == "häuser"


def test_sharp_s_folds_to_two_letters():
    assert normalize_query("STRASSE", "german") == normalize_query("Straße", "german")


@pytest.mark.parametrize("text", ["", "   ", "\u3000"])
def test_blank_text_normalises_to_nothing(text):
    assert normalize_query(text, "english") == ""


def test_unknown_language_names_the_closest_one():
    with pytest.raises(ConfigError, match="'german'"):
        normalize_query("", "germann")


def test_cluster_id_is_the_head_of_the_forms_sha256():
    # sha256("abc") = ba7816bf 8f01cfea ... (FIPS 180-2, appendix B.1)
    assert query_cluster_id("abc") == "ba7816bf8f01cfea"
