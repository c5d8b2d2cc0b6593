"""What each analyzer makes of words; the right-hand sides are what Lucene 10.4 made of them."""

from __future__ import annotations

import pytest

from rankhammer.analyzers import ANALYZERS, analyze
from rankhammer.analyzers.languages import word_term
from rankhammer.analyzers.stop_words import STOP_WORDS

KNOWN = {
    "german": (
        "Häuser haus, häusern haus, Straßen strass, Strasse strass, Bücher buch, buecher buch, Mädchen madch, "
        "Fußbälle fussball, neueste neu, schönsten schon, Kindern kind, Autos autos, laufendes laufend, Query "
        "query, Quellen quell, größeren gross, Äpfel apfel, Oefen ofen, feuer feu, treue treu, Fahrräder fahrrad, "
        "Fenstern fen, billiger billig, Tisches tisch, Zeitungen zeitung, daß -, über -, Möbelhaus mobelhaus, "
        "teuerste teuerst, Computern comput"
    ),
    "french": (
        "l'avion avion, d’été été, jusqu'ici -, chevaux cheval, bateaux bateau, nationale national, nationales "
        "national, modernisation modern, premières premier, heureusement heureus, amoureuses amoureu, acteurs "
        "acteu, actrice acteu, traductrice traduct, qualificateur qualifi, finissant fini, l'agrandissement "
        "agrandi, troisième trois, folles fou, européenne europen, rationnelle ration, boulangère boulang, "
        "jardinage jardin, allées ale, vieille vieil, princesse princ, complète complet, électriques elect, "
        "informatique informat, solutions solution, chaussures chausur, été été, les -"
    ),
    "italian": (
        "dell'amico amico, l’albero alber, un'altra altra, ragazze ragazz, amiche amic, giochi gioc, libri libri, "
        "biblioteche bibliotec, città città, università universit, scarpe scarp, bianchi bianc, vecchio vecch, "
        "piccole piccol, veloci veloc, montagna montagn, computer computer, della -, per -, economia econom, zii "
        "zii, macchina macchin"
    ),
    "spanish": (
        "niños niñ, españoles español, luces luz, peces pez, canciones cancion, ciudades ciudad, árboles arbol, "
        "zapatos zapat, rojas roj, camisetas camiset, franceses frances, meses mes, intereses interes, "
        "rápidamente rapidament, computadora computador, teléfonos telefon, móviles movil, los -, para -, jóvenes "
        "joven, veces vez, mesa mesa, leche lech"
    ),
    "portuguese": (
        "canções canca, pães pao, homens homem, jovens jovem, papéis papel, animais animal, lençóis lencol, fuzis "
        "fuzil, rapidamente rapid, meninas menin, vizinha vizinh, portuguesa portugues, professora professor, "
        "brasileira brasileir, saborosa saboros, médica medic, comida comid, gelada gelad, criativa criativ, "
        "chorona chora, cidades cidad, mulheres mulher, luzes luz, meses mes, não -, para -, informações "
        "informaca"
    ),
    "dutch": (
        "fietsen fiets, fiets fiets, kinderen kinder, kind kinder, bromfiets bromfiets, ei eier, eieren eier, "
        "lopende lopend, mogelijkheden mogelijk, lichaamsdelen lichaamsdel, huizen huiz, boeken boek, grootste "
        "grootst, gevaarlijk gevar, bakken bak, televisies televisies, gebruiken gebruik, waarheid waarheid, het "
        "-, voor -, vrouwen vrouw, schoenen schoen, computers computer, zonnebrillen zonnebrill"
    ),
    "russian": (
        "книги книг, книгами книг, красивая красив, красивейший красив, читающий чита, прочитавшись прочита, "
        "скорость скорост, возможности возможн, домов дом, ёлка елк, ёлки елк, быстро быстр, быстрого быстр, "
        "работать работа, работали работа, ноутбуки ноутбук, телефона телефон, для -, что -, учителями учител, "
        "важнее важн, новые нов, кроссовки кроссовк, женские женск"
    ),
    "swedish": (
        "flickorna flick, husen hus, böckerna böck, bilarnas bil, möjligheter möj, möjligheterna möj, vänskapen "
        "vänskap, friskt frisk, arbetslöst arbetslös, fullt fullt, snabbast snabb, datorer dator, skor skor, och "
        "-, för -, kläder kläd, huset huset, sängkläder sängkläd, stolar stol, bordet bordet, byggde bygg, "
        "barnvagnar barnvagn, röda röd, billigaste bil"
    ),
    "danish": (
        "husene hus, bøgerne bøg, billigste bil, mulighederne mulighed, kærligheden kær, arbejdsløst arbejdsløs, "
        "hurtigst hurt, skoene skoen, og -, for -, stole stol, bordet bord, pigernes pig, cykler cykl, venlige "
        "ven, snakket snak, grøntsager grøntsag, bagerier bageri, børnenes børn"
    ),
    "norwegian": (
        "husene hus, bøkene bøk, billigste billigst, mulighetene mul, kjærligheten kjær, hurtigst hurtigst, "
        "skoene skoen, og -, for -, stoler stol, bordet bord, jentenes jent, sykler sykl, vennlige venn, snakket "
        "snakk, hjelpeløst hjelpeløst, hundenes hund, senket senk, boligene bol, verktøyet verktøy, lovlighet "
        "lov, kjørte kjørt, omsorgsfullt omsorgsfullt"
    ),
    "english": (
        "relational relat, databases databas, hopping hop, men’s men, possibly possibl, technology technolog, the "
        "-, into -, generously gener, skies ski, dying dy, running run"
    ),
    "cjk": (
        "日本語の検索 日本+本語+語の+の検+検索, 中文分詞 中文+文分+分詞, 한국어 한국+국어, 검색 검색, "
        "ｶﾀｶﾅ カタ+タカ+カナ, "
        "ＡＢＣ１２３ abc123, 東京スカイツリー "
        "東京+京ス+スカ+カイ+イツ+ツリ+リー, 本 本, the -, x日y x+日+y, ラーメン屋 ラー+ーメ+メン+ン屋"
    ),
}
"""Analyzer to words with their terms; `+` stands between several, `-` for none."""


def terms(text: str, analyzer: str) -> list[str]:
    tokens = analyze([text], analyzer)
    return tokens.terms.take(tokens.term).to_pylist()


@pytest.mark.parametrize("analyzer", KNOWN)
def test_words_become_the_terms_of_the_engines_analyzer(analyzer: str) -> None:
    pairs = [pair.split() for pair in KNOWN[analyzer].split(", ")]
    assert len(pairs) >= 10
    found = {word: "+".join(terms(word, analyzer)) or "-" for word, _ in pairs}
    assert found == dict(pairs)


def test_every_analyzer_is_shown_here() -> None:
    assert {*KNOWN} == {*ANALYZERS} - {"standard"}


@pytest.mark.parametrize("analyzer", sorted({*ANALYZERS} - {"standard"}))
def test_stop_words_leave_gaps(analyzer: str) -> None:
    words = sorted(STOP_WORDS[analyzer])
    tokens = analyze([f"{words[0]} 42 {words[-1]} 43"], analyzer)
    assert tokens.position.tolist() == [1, 3]


def test_words_are_those_of_running_texts() -> None:
    assert terms("Die schönsten Häuser, z. B. in Köln.", "german") == ["schon", "haus", "z", "b", "koln"]
    assert terms("L'été, qu\u2019est-ce que c'est?", "french") == ["été", "est", "est"]


def test_a_language_without_engines_analyzer_has_stems_and_keeps_all_words() -> None:
    assert terms("Evlerin ve kitaplar", "turkish") == ["ev", "ve", "kitap"]


def test_cjk_characters_go_in_twos_across_scripts_but_not_across_signs_or_texts() -> None:
    assert terms("日本、語", "cjk") == ["日本", "語"]
    tokens = analyze(["日", "本 語カ", ""], "cjk")
    assert tokens.text.tolist() == [0, 1, 1]
    assert tokens.position.tolist() == [0, 0, 1]
    assert tokens.terms.to_pylist() == ["日", "本", "語カ"]


def test_case_is_lowered_letter_by_letter() -> None:
    # As Java does: no final sigma, and one letter for a dotted capital I.
    assert terms("ΣΑΣ İx", "standard") == ["σασ", "ix"]


def test_no_words_give_no_tokens() -> None:
    assert [len(analyze(texts, analyzer).term) for texts in ([], [None, "?"]) for analyzer in ANALYZERS] == [0] * 26


def test_swedish_stems_are_the_engines_not_those_of_the_python_package() -> None:
    assert word_term("swedish")("huset") == "huset"
