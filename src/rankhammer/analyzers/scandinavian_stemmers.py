"""Snowball's stemmers of Swedish, Danish and Norwegian, as search engines have them.

Those of the Python package are newer: they take off a few more endings (Swedish *-et*, Norwegian *-ers*).

References:
    M. F. Porter, the Scandinavian stemmers of the Snowball project, 2001. An ending is only looked for in R1: what
    stands behind the first consonant that follows a vowel, and behind the third letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_BEFORE_OST: Final = "iklnprtuv"
_MIN_KEPT: Final = 3
"""Letters in front of R1."""


@dataclass(frozen=True)
class _Endings:
    """The endings of a language; of several that fit the longest one counts.

    Args:
        vowels: All its vowels.
        inflections: Taken off first.
        before_s: Letters behind which an -s is taken off, too.
        clusters: Pairs of letters that lose the second one.
        derivations: Ending to what stands in its place, last of all.
    """

    vowels: str
    inflections: tuple[str, ...]
    before_s: str
    clusters: tuple[str, ...]
    derivations: dict[str, str]


_SWEDISH_INFLECTIONS: Final = (
    "a arna erna heterna orna ad e ade ande arne are aste en anden aren heten ern ar er heter or as arnas ernas ornas "
    "es ades andes ens arens hetens erns at andet het ast"
)
_DANISH_INFLECTIONS: Final = (
    "hed ethed ered e erede ende erende ene erne ere en heden eren er heder erer heds es endes erendes enes ernes eres "
    "ens hedens erens ers ets erets et eret"
)
_NORWEGIAN_INFLECTIONS: Final = (
    "a e ede ande ende ane ene hetene en heten ar er heter as es edes endes enes hetenes ens hetens ers ets et het ast"
)
_NORWEGIAN_DERIVATIONS: Final = "leg eleg ig eig lig elig els lov elov slov hetslov"
_SWEDISH: Final = _Endings(
    vowels="aeiouyäåö",
    inflections=tuple(_SWEDISH_INFLECTIONS.split()),
    before_s="bcdfghjklmnoprtvy",
    clusters=("dd", "gd", "nn", "dt", "gt", "kt", "tt"),
    derivations={"lig": "", "els": "", "ig": "", "fullt": "full"},
)
_DANISH: Final = _Endings(
    vowels="aeiouyæåø",
    inflections=tuple(_DANISH_INFLECTIONS.split()),
    before_s="abcdfghjklmnoprtvyzå",
    clusters=("gd", "dt", "gt", "kt"),
    derivations={"ig": "", "lig": "", "elig": "", "els": "", "løst": "løs"},
)
_NORWEGIAN: Final = _Endings(
    vowels="aeiouyæåø",
    inflections=tuple(_NORWEGIAN_INFLECTIONS.split()),
    before_s="bcdfghjlmnoprtvyz",
    clusters=("dt", "vt"),
    derivations=dict.fromkeys(_NORWEGIAN_DERIVATIONS.split(), ""),
)


def swedish_stem(word: str) -> str:
    """Stem a lower-case Swedish word."""
    r1 = _r1(word, _SWEDISH)
    word = _without_cluster(_without_inflection(word, r1, _SWEDISH), r1, _SWEDISH)
    if word[r1:].endswith("öst") and word[-4] in _BEFORE_OST:
        return word[:-1]
    return _without_derivation(word, r1, _SWEDISH)


def danish_stem(word: str) -> str:
    """Stem a lower-case Danish word."""
    r1 = _r1(word, _DANISH)
    word = _without_cluster(_without_inflection(word, r1, _DANISH), r1, _DANISH)
    stem = _without_derivation(word[:-2] if word.endswith("igst") else word, r1, _DANISH)
    if stem != word and not stem.endswith("løs"):
        stem = _without_cluster(stem, r1, _DANISH)
    doubled = len(stem) > 1 and stem[-1] == stem[-2] and len(stem) - 1 >= r1 and stem[-1] not in _DANISH.vowels
    return stem[:-1] if doubled else stem


def norwegian_stem(word: str) -> str:
    """Stem a lower-case Norwegian word."""
    r1 = _r1(word, _NORWEGIAN)
    if word[r1:].endswith(("erte", "ert")):
        word = word.removesuffix("e").removesuffix("t")
    else:
        word = _without_inflection(word, r1, _NORWEGIAN)
    return _without_derivation(_without_cluster(word, r1, _NORWEGIAN), r1, _NORWEGIAN)


def _r1(word: str, endings: _Endings) -> int:
    """Return where R1 begins; behind the last letter where there is none."""
    vowel = next((place for place, letter in enumerate(word) if letter in endings.vowels), len(word))
    after = (place + 1 for place in range(vowel, len(word)) if word[place] not in endings.vowels)
    return len(word) if len(word) < _MIN_KEPT else max(next(after, len(word)), _MIN_KEPT)


def _without_inflection(word: str, r1: int, endings: _Endings) -> str:
    ending = _longest(word[r1:], endings.inflections)
    if ending:
        return word.removesuffix(ending)
    before = word[-2:-1]
    # Norwegian: also behind a k that follows a consonant.
    fits = before in endings.before_s or (before == "k" and word[-3:-2] not in endings.vowels)
    return word[:-1] if before and fits and word[r1:].endswith("s") else word


def _without_cluster(word: str, r1: int, endings: _Endings) -> str:
    return word[:-1] if word[r1:].endswith(endings.clusters) else word


def _without_derivation(word: str, r1: int, endings: _Endings) -> str:
    ending = _longest(word[r1:], tuple(endings.derivations))
    return word.removesuffix(ending) + endings.derivations[ending] if ending else word


def _longest(text: str, endings: tuple[str, ...]) -> str:
    return max((ending for ending in endings if text.endswith(ending)), key=len, default="")
