"""What columns of logs, documents and grades are usually called, in English and German."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

SYNONYMS: Mapping[str, str] = {
    "serp_id": """serp id, search id, request id, query id, result page id, impression id, page view id, serp, search
        uuid, search request id, such id, suche id, suchanfrage id, anfrage id, seiten id, suchnummer""",
    "session_id": """session id, session, visit id, sitzung id, sitzung, besuch id, besuch""",
    "user_id": """user id, visitor id, client id, cookie id, customer id, browser id, nutzer id, benutzer id, kunden id,
        kunde, besucher id, besucher""",
    "address": """ip, ip address, client ip, remote ip, remote addr, remote address, ip adresse""",
    "query": """query, search query, user query, terms, search terms, search term, term, keyword, keywords, q, query
        text, search phrase, phrase, suchbegriff, suchbegriffe, suchwort, suchwoerter, suchtext,
        suchanfrage, anfrage, begriff, suche, wonach gesucht""",
    "shown_at": """shown at, timestamp, time, ts, datetime, date time, created at, event time, searched at, date,
        zeit, zeitpunkt, zeitstempel, datum, uhrzeit, angezeigt am""",
    "doc_id": """doc id, document id, product id, item id, sku, article id, asin, url, doc, document, product,
        item, page id, hit id, result id, object id, listing id, id, dokument id, produkt id,
        artikel id, artikelnummer, artikelnr, artikel, produktnummer, artikel nr, dokument,
        produkt""",
    "position": """position, pos, rank, place, slot, ordinal, result position, result rank, display position,
        platz, rang, stelle""",
    "clicked": """clicked, click, clicks, is click, is clicked, was clicked, n clicks, num clicks, click count,
        geklickt, klick, klicks, angeklickt, ist geklickt""",
    "corpus": """corpus, shop, store, market, marketplace, site, tenant, index, collection, language, lang, locale,
        country, wiki, catalog, catalogue, application, mandant, sprache, land, laden, filiale,
        sortiment, markt, katalog""",
    "grade": """grade, rating, relevance, label, judgment, score, rel, grading, note, bewertung, relevanz,
        stufe, urteil""",
    "title": """title, name, headline, heading, subject, product name, titel, bezeichnung, produktname, ueberschrift,
        artikelname""",
    "doc_ids": """doc ids, document ids, product ids, results, result ids, docs, hits, shown, items, skus, treffer,
        ergebnisse, dokumente, produkte""",
}
"""What a column means to its usual names, with commas between them and blanks between words."""
_UMLAUTS = str.maketrans({"\u00e4": "ae", "\u00f6": "oe", "\u00fc": "ue", "\u00df": "ss"})
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
EXACT, LAST_WORDS, SOME_WORDS = 1.0, 0.8, 0.5


def words_of(name: str) -> tuple[str, ...]:
    """Cut a column's name into its words, in lower case.

    Args:
        name: As it stands in the file: `searchTerms`, `is_click`, `Artikel-Nr`.
    """
    return tuple(part.casefold() for part in _PARTS.findall(name.translate(_UMLAUTS)))


def name_score(role: str, name: str) -> float:
    """Say how well a column's name fits what it is to mean.

    Args:
        role: Key of `SYNONYMS`.
        name: Of the column; of a path into structs the last part counts.

    Returns:
        1 where it is one of the usual names, .8 where it ends or begins with one, .5 where it shares a word, else 0.
    """
    words = words_of(name.rpartition(".")[2])
    joined = "".join(words)
    usual = [tuple(one.split()) for one in _usual(role)]
    if any(joined == "".join(one) for one in usual):
        return EXACT
    if any(len(one) < len(words) and one in (words[-len(one) :], words[: len(one)]) for one in usual):
        return LAST_WORDS
    shared = {word for one in usual for word in one if len(word) > 2} - {"search", "page", "result"}
    return SOME_WORDS if shared & set(words) else 0.0


def _usual(role: str) -> list[str]:
    return [one.strip() for one in SYNONYMS[role].split(",")]
