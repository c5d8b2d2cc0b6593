"""Words that look like those of a language: letters follow each other as in its stop words, endings are known ones."""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING

from rankhammer.analyzers.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from collections.abc import Callable

ENDINGS = {
    "english": ("s es ies ed ing ational ly ness ful ize ization y e ee ll ss 's \u2019s"),
    "german": ("ern em en er es e s st est en er ß ä ö ü ae oe ue que aeue ster sten eren ungen lich"),
    "french": (
        "issement issant ement ivement ficatrice ficateur catrice cateur atrice ateur trice ième teuse teur euse "
        "ère ive folle molle nnelle nnel ète ique esse inage isation ualisation isateur ation ition ie er ee eer "
        "aux eaux x s xs rr ss ff iques ées"
    ),
    "italian": ("ie he hi ii ia io e i a o à è ì ò ù ione ità che ghi"),
    "spanish": ("o a e os as es eses ces iones ción ñas ños ué ías"),
    "portuguese": (
        "ns eis éis ais óis is ões ães mente s inha iaca eira osa ica ida ada iva ama ona ora esa na res ses les "
        "zes a e o ção ções ã"
    ),
    "dutch": (
        "en ene s se heden heid ing end baar lijk e ig bar iteit iteiten sje tje etje ingen aard ende je kken dden"
    ),
    "russian": (
        "ость ости ого его ому ыми ими ая яя ие ый ой ем ом ов ев ами ями ать ять ла ло ли ейш ейше вшись ующ ть "
        "ся сь нн н ье ия иями ё ую ённый"
    ),
    "swedish": (
        "a arna erna heterna orna ad e ade ande arne are aste en anden aren heten ern ar er heter or as arnas "
        "ornas es ades andes ens hetens erns at andet het ast s dd gd nn dt gt kt tt lig els lös fullt öst löst "
        "et ets"
    ),
    "danish": (
        "hed ethed ered e erede ende erende ene erne ere en heden eren er heder erer heds es endes erendes enes "
        "ernes ens hedens ers ets erets et eret s gd dt gt kt ig lig elig els løst igst"
    ),
    "norwegian": (
        "a e ede ande ende ane ene hetene en heten ar er heter as es edes endes enes hetenes ens ers ets et het "
        "ast s erte ert dt vt leg eleg ig eig lig elig els lov elov slov hetslov"
    ),
}
"""Analyzer to endings that its rules look for."""
ARTICLES = {"french": "l d qu jusqu x", "italian": "dell un gl l x"}
CJK_PIECES = (
    "日本 語 時々 カタカナ カ ー ｶﾞｷﾞ ﾊﾟ 한국어 국 abc ＡＢＣ １２３ the and 12 か\u3099 〇 , 。 - _ ひらがな ㄅㄆ 𠀀𠀁 "
    "中文分詞 x한 9日"
)


def made_words(analyzer: str, n_words: int) -> list[str]:
    """Make words, some of them stop words, in upper case or behind an article; the same in every run.

    Args:
        analyzer: A key of `ENDINGS`, or `cjk`.
        n_words: How many; they are distinct.
    """
    rng = random.Random(analyzer)
    make = _cjk_maker(rng) if analyzer == "cjk" else _maker(analyzer, rng)
    found: dict[str, None] = {}
    while len(found) < n_words:
        found[make()] = None
    return [*found]


def _cjk_maker(rng: random.Random) -> Callable[[], str]:
    return lambda: "".join(rng.choices(CJK_PIECES.split(), k=rng.randint(1, 6)))


def _maker(analyzer: str, rng: random.Random) -> Callable[[], str]:
    stop_words = sorted(STOP_WORDS[analyzer])
    follows: dict[str, list[str]] = defaultdict(list)
    for word in stop_words:
        for before, letter in zip(f"^{word}", word, strict=False):
            follows[before].append(letter)
    return lambda: _word(analyzer, stop_words, follows, rng)


def _word(analyzer: str, stop_words: list[str], follows: dict[str, list[str]], rng: random.Random) -> str:
    if rng.random() < 0.05:
        return rng.choice(stop_words)
    word, before = "", "^"
    for _ in range(rng.randint(1, 9)):
        before = rng.choice(follows.get(before) or follows["^"])
        word += before
    if rng.random() < 0.75:
        word += rng.choice(ENDINGS[analyzer].split())
    if analyzer in ARTICLES and rng.random() < 0.1:
        word = rng.choice(ARTICLES[analyzer].split()) + rng.choice("'\u2019") + word
    return word.upper() if rng.random() < 0.1 else word
