"""Files of a shop as its people have them: own column names, two languages, three corpora, grades as CSV."""

from __future__ import annotations

import csv
import json
import random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

WORDS = {
    "de": (["rote", "blaue", "schwarze", "leichte"], ["Schuhe", "Jacke", "Tasche", "Lampe", "Decke"]),
    "en": (["red", "blue", "black", "light"], ["shoes", "jacket", "bag", "lamp", "blanket"]),
}
SENTENCES = {
    "de": "{} {} aus fester Wolle und mit einer Naht, die nicht reisst: das ist gut für den Alltag",
    "en": "{} {} made of solid wool and with a seam that is not going to tear: this is good for the day",
}
SHOPS = {"at": "de", "de": "de", "uk": "en"}


def make_shop(folder: Path, *, n_pages: int = 420, seed: int = 3) -> None:
    """Write klicks.csv, artikel.jsonl and noten.csv into a folder."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    articles = [article for shop in SHOPS for article in _articles(shop, rng)]
    text = "".join(json.dumps(article, ensure_ascii=False) + "\n" for article in articles)
    (folder / "artikel.jsonl").write_text(text, encoding="utf-8")
    grades: dict[tuple[str, str, str], int] = {}
    rows = [row for page in range(n_pages) for row in _page(page, articles, grades, rng)]
    names = ["Suchanfrage-Id", "Sitzung", "Zeitpunkt", "Laden", "Suchbegriff", "Artikelnummer", "Platz", "Geklickt"]
    _write(folder / "klicks.csv", names, rows)
    _write(
        folder / "noten.csv", ["Laden", "Suchbegriff", "Artikelnummer", "Note"], [(*key, grades[key]) for key in grades]
    )


def _articles(shop: str, rng: random.Random) -> list[dict[str, Any]]:
    kinds, things = WORDS[SHOPS[shop]]
    return [
        {
            "artikelnr": f"{shop}-{number:03}",
            "laden": shop,
            "bezeichnung": f"{kind.capitalize()} {thing}",
            "beschreibung": SENTENCES[SHOPS[shop]].format(kind.capitalize(), thing),
            "verkauft": rng.randint(0, 500),
            "bild": f"https://shop.example/{shop}/{number}.jpg",
        }
        for number, (kind, thing) in enumerate((kind, thing) for kind in kinds for thing in things)
    ]


def _page(
    page: int, articles: list[dict[str, Any]], grades: dict[tuple[str, str, str], int], rng: random.Random
) -> list[tuple[Any, ...]]:
    shop = list(SHOPS)[page % 3]
    kinds, things = WORDS[SHOPS[shop]]
    kind, thing = rng.choice(kinds), rng.choice(things)
    query = f"{kind} {thing.lower()}"
    own = [one for one in articles if one["laden"] == shop and (thing in one["bezeichnung"] or rng.random() < 0.15)]
    rng.shuffle(own)
    time, rows = f"2026-05-{page % 28 + 1:02} 12:{page % 60:02}:00", []
    for place, one in enumerate(own[:6], start=1):
        grade = (thing in one["bezeichnung"]) * (2 + 2 * (kind.capitalize() in one["bezeichnung"]))
        grades[shop, query, one["artikelnr"]] = grade
        is_clicked = rng.random() < (0.05 + 0.2 * grade) / place**0.5
        rows.append((f"s{page}", f"b{page // 4}", time, shop, query, one["artikelnr"], place, int(is_clicked)))
    return rows


def _write(path: Path, names: list[str], rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, delimiter=";")
        lines.writerow(names)
        lines.writerows(rows)
