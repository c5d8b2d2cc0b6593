"""Which language texts are in, by the share of their words that are stop words of one."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_STOP_WORDS: Mapping[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "english": "the of and to in is for with that it on are this be by as an or from at which you your not can",
        "german": "der die das und ist mit f\u00fcr von den im ein eine einer auf zu des sich dem nicht auch aus bei "
        "oder wird sind als wie nach zum zur ihre sie fuer",
        "french": "le la les de des et est un une pour dans en du que qui avec sur pas au aux ce cette sont par plus",
        "spanish": "el la los las de del y es un una para en con por que se no su al como m\xe1s lo sus",
        "italian": "il lo la gli le di del della e \u00e8 un una per in con che non si da dei delle al come sono",
        "dutch": "de het een en van is met voor op te dat in zijn niet aan ook als bij om er naar uit",
        "portuguese": "o os as de do da dos das e \u00e9 um uma para em com por que n\u00e3o no na se ao como mais",
        "swedish": "och att det som en ett p\u00e5 \u00e4r av f\u00f6r med till den inte om har fr\u00e5n vi de",
        "danish": "og at det som en et p\u00e5 er af for med til den ikke om har fra vi de der",
        "norwegian": "og at det som en et p\u00e5 er av for med til den ikke om har fra vi de der",
    }.items()
}
_WORD = re.compile(r"[^\W\d_]+")
MIN_STOP_WORDS = 5
"""Fewer stop words of a language, in all texts together, say nothing."""
_MARGIN = 1.3
"""A language has to have so many times the stop words of the next one."""


def text_language(texts: Iterable[str]) -> str:
    """Say which language texts are in.

    Args:
        texts: Descriptions, or other whole sentences: queries have too few stop words.

    Returns:
        Snowball's name of the language; empty where nothing speaks for one.
    """
    counts = Counter(word for text in texts for word in _WORD.findall(text.casefold()))
    n = {language: sum(counts[word] for word in words) for language, words in _STOP_WORDS.items()}
    (first, most), (_, next_most) = Counter(n).most_common(2)
    return first if most >= MIN_STOP_WORDS and most >= _MARGIN * next_most else ""
