"""Light stemmers: they take off what marks number and gender, and little more, as Lucene's analyzers do.

Each function takes one lower-case word without stop words or elisions and returns its stem, which need not be a word.

References:
    J. Savoy, "A stemming procedure and stopword list for general French corpora", JASIS 50(10), 1999; "Light stemming
    approaches for the French, Portuguese, German and Hungarian languages", SAC 2006; "Report on CLEF-2001 experiments",
    2001 (German, Italian, Spanish).
"""

from __future__ import annotations

from typing import Final

_FRENCH_LETTERS: Final = str.maketrans("àáâôèéêùûîç", "aaaoeeeuuic")
_GERMAN_LETTERS: Final = str.maketrans("äàáâöòóôïìíîüùúû", "aaaaooooiiiiuuuu")
_PLAIN_VOWELS: Final = str.maketrans("àáâäòóôöèéêëùúûüìíîï", "aaaaooooeeeeuuuuiiii")
_PORTUGUESE_LETTERS: Final = str.maketrans("àáâäãòóôöõèéêëùúûüìíîïç", "aaaaaoooooeeeeuuuuiiiic")

_Rules = tuple[tuple[str, int, str], ...]
"""(ending, length that the word must exceed, what stands in its place): the first that fits is applied."""

_FRENCH_VERBAL: Final[_Rules] = (("issement", 9, "ir"), ("issant", 8, "ir"), ("ement", 6, "e"))
_FRENCH_AGENTS: Final[_Rules] = (
    ("ficatrice", 11, "fier"),
    ("ficateur", 10, "fier"),
    ("catrice", 9, "quer"),
    ("cateur", 8, "quer"),
    ("atrice", 8, "er"),
    ("ateur", 7, "er"),
)
_FRENCH_ADJECTIVES: Final[_Rules] = (
    ("ième", 5, ""),
    ("teuse", 7, "ter"),
    ("teur", 6, "ter"),
    ("euse", 5, "eu"),
    ("ère", 8, "er"),
    ("ive", 7, "if"),
    ("folle", 4, "fou"),
    ("molle", 4, "mou"),
    ("nnelle", 9, "n"),
    ("nnel", 9, "n"),
)
_FRENCH_NOUNS: Final[_Rules] = (
    ("esse", 8, "e"),
    ("inage", 7, "in"),
    ("isation", 9, ""),
    ("isateur", 9, ""),
    ("ation", 8, ""),
    ("ition", 8, ""),
)


def french_stem(word: str) -> str:
    """Stem a French word."""
    return _french_letters(_french_suffix(_french_plural(word)))


def _french_plural(word: str) -> str:
    if len(word) > 5 and word.endswith("x"):
        word = word[:-3] + "al" if word[-3:-1] == "au" and word[-4] != "e" else word[:-1]
    for letter in "xs":
        if len(word) > 3 and word.endswith(letter):
            word = word[:-1]
    return word


def _french_suffix(word: str) -> str:
    found = _apply(word, _FRENCH_VERBAL)
    if found is not None:
        return found[:-3] + "if" if word.endswith("ement") and len(found) > 3 and found.endswith("ive") else found
    found = _apply(word, _FRENCH_AGENTS)
    if found is not None:
        return found
    word = _apply(word, (("trice", 6, "teur"),)) or word
    found = _apply(word, _FRENCH_ADJECTIVES)
    if found is not None:
        return found
    for rule in (("ète", 4, "et"), ("ique", 8, "")):
        word = _apply(word, (rule,)) or word
    found = _apply(word, _FRENCH_NOUNS)
    if found is None:
        return word
    return found[:-2] + "el" if word.endswith("isation") and len(found) > 5 and found.endswith("ual") else found


def _french_letters(word: str) -> str:
    """Drop accents, letters that stand twice, and the last silent ones, of words of more than four letters."""
    if len(word) > 4:
        word = _without_doubles(word.translate(_FRENCH_LETTERS))
    if len(word) > 4 and word.endswith("ie"):
        word = word[:-2]
    if len(word) > 4:
        for letter in "ree":
            word = word.removesuffix(letter)
        if word[-1] == word[-2] and word[-1].isalpha():
            word = word[:-1]
    return word


def _without_doubles(word: str) -> str:
    """Leave one of equal letters side by side; digits stay."""
    kept = [letter for letter, before in zip(word[1:], word, strict=False) if letter != before or not letter.isalpha()]
    return word[:1] + "".join(kept)


def german_stem(word: str) -> str:
    """Stem a German word."""
    word = german_letters(word).translate(_GERMAN_LETTERS)
    return _german_comparison(_german_case(word))


def german_letters(word: str) -> str:
    """Write umlauts, also those typed as two letters, as plain vowels, and `ß` as `ss`.

    `ae`, `oe` and `ue` lose their e, but for `ue` after a vowel or q, as in *neue* and *quer*.

    References:
        The Snowball project's variant `german2`.
    """
    letters: list[str] = []
    # What the letter before allows: an e behind it is an umlaut's, or a u behind it is no umlaut.
    umlaut, vowel = False, False
    for letter in word:
        if letter == "e" and umlaut:
            umlaut, vowel = False, True
            continue
        letters.append({"ä": "a", "ö": "o", "ü": "u", "ß": "ss"}.get(letter, letter))
        umlaut, vowel = letter in "ao" or (letter == "u" and not (umlaut or vowel)), letter in "euiqyäöü"
    return "".join(letters)


_GERMAN_BEFORE_S: Final = frozenset("bdfghklmnt")


def _german_case(word: str) -> str:
    """Take off the endings of cases and of the plural."""
    if len(word) > 5 and word.endswith("ern"):
        return word[:-3]
    if len(word) > 4 and word.endswith(("em", "en", "er", "es")):
        return word[:-2]
    if len(word) > 3 and (word.endswith("e") or (word.endswith("s") and word[-2] in _GERMAN_BEFORE_S)):
        return word[:-1]
    return word


def _german_comparison(word: str) -> str:
    """Take off the endings of comparatives and superlatives."""
    if len(word) > 5 and word.endswith("est"):
        return word[:-3]
    if len(word) > 4 and (word.endswith(("er", "en")) or (word.endswith("st") and word[-3] in _GERMAN_BEFORE_S)):
        return word[:-2]
    return word


def italian_stem(word: str) -> str:
    """Stem an Italian word of six letters or more; shorter ones stay as they are."""
    if len(word) < 6:
        return word
    word = word.translate(_PLAIN_VOWELS)
    if word.endswith(("ie", "he", "hi", "ii", "ia", "io")):
        return word[:-2]
    return word[:-1] if word[-1] in "eiao" else word


def spanish_stem(word: str) -> str:
    """Stem a Spanish word of five letters or more; shorter ones stay as they are."""
    if len(word) < 5:
        return word
    word = word.translate(_PLAIN_VOWELS)
    if word[-1] in "oae":
        return word[:-1]
    if word.endswith("eses"):
        return word[:-2]
    if word.endswith("ces"):
        return word[:-3] + "z"
    return word[:-2] if word.endswith(("os", "as", "es")) else word


_PORTUGUESE_PLURALS: Final[_Rules] = (
    ("ns", 3, "m"),
    ("eis", 4, "el"),
    ("éis", 4, "el"),
    ("ais", 4, "al"),
    ("óis", 4, "ol"),
    ("is", 4, "il"),
    ("ões", 3, "ão"),
    ("ães", 3, "ão"),
    ("mente", 6, ""),
    ("s", 3, ""),
)
_PORTUGUESE_FEMININES: Final[_Rules] = (
    ("inha", 7, "inho"),
    ("iaca", 7, "iaco"),
    ("eira", 7, "eiro"),
    ("osa", 6, "oso"),
    ("ica", 6, "ico"),
    ("ida", 6, "ido"),
    ("ada", 6, "ado"),
    ("iva", 6, "ivo"),
    ("ama", 6, "amo"),
    ("ona", 6, "ão"),
    ("ora", 6, "or"),
    ("esa", 6, "ês"),
    ("na", 6, "no"),
)


def portuguese_stem(word: str) -> str:
    """Stem a Portuguese word of four letters or more; shorter ones stay as they are."""
    if len(word) < 4:
        return word
    if len(word) > 4 and word.endswith(("res", "ses", "les", "zes")):
        word = word[:-2]
    else:
        word = _apply(word, _PORTUGUESE_PLURALS) or word
    word = _apply(word, _PORTUGUESE_FEMININES) or word
    if len(word) > 4 and word[-1] in "eao":
        word = word[:-1]
    return word.translate(_PORTUGUESE_LETTERS)


def _apply(word: str, rules: _Rules) -> str | None:
    """Replace the first ending that fits; None where none does."""
    for ending, length, replacement in rules:
        if len(word) > length and word.endswith(ending):
            return word.removesuffix(ending) + replacement
    return None
