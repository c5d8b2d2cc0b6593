"""What `rankhammer rank` and `rankhammer queries` print; what they find is tested with the stages."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from click.testing import CliRunner

from rankhammer.cli import queries
from rankhammer.evaluation.offline_search import RankedDocument
from rankhammer.runs import searching

DOCUMENT = RankedDocument(
    1, "sku-1", 0.5, 3, {"title_bm25": 0.4, "price": -0.1}, {"title": "Red \x1b[2Jshoe", "kind": None}
)


@dataclass
class Search:
    """Answers every query with one document, and keeps what was asked together."""

    held_back: str = ""
    asked: list[list[str]] = field(default_factory=list)

    def answer(self, given, *, n_candidates):
        self.asked.append(list(given))
        return ((query, [DOCUMENT]) for query in given)


@pytest.fixture
def search(monkeypatch) -> Search:
    made = Search()

    @contextmanager
    def opened(env, corpus, **_):
        yield made

    monkeypatch.setattr(searching, "opened", opened)
    return made


def rank(*arguments: str, typed: str = "", code: int = 0) -> str:
    result = CliRunner().invoke(queries.rank, ["shop", *arguments], input=typed)
    assert result.exit_code == code, result.output
    return result.stdout


def test_one_search_is_a_list_of_documents(search):
    assert json.loads(rank("--query", "red shoe", "--json"))[0]["fields"]["title"].endswith("shoe")
    assert search.asked == [["red shoe"]]


def test_several_searches_and_a_file_are_answered_at_once_a_line_each(search, tmp_path):
    (tmp_path / "searches.txt").write_text("red shoe\n\n  blue shoe \n", encoding="utf-8")
    lines = rank("-q", "hat", "--file", str(tmp_path / "searches.txt"), "--json").splitlines()
    assert [json.loads(line)["query"] for line in lines] == ["hat", "red shoe", "blue shoe"]
    assert search.asked == [["hat", "red shoe", "blue shoe"]]
    rank("--file", "-", typed="red shoe\nhat\n")
    assert search.asked[1:] == [["red shoe", "hat"]]


def test_without_a_search_each_line_of_the_input_is_one_until_it_ends(search):
    lines = rank("--json", typed="red shoe\n\nhat\n").splitlines()
    assert search.asked == [["red shoe"], ["hat"]]
    assert [json.loads(line)["query"] for line in lines] == ["red shoe", "hat"]
    assert rank(typed="") == ""


def test_titles_are_shown_without_what_a_terminal_would_obey(search):
    search.held_back = "000002-ab"
    text = rank("--query", "red shoe")
    assert "\x1b" not in text
    assert "Red [2Jshoe" in text
    assert "sku-1: title_bm25 +0.400, price -0.100" in text


def document(name: str, rank: int, before: int, grade: int | None) -> dict:
    facts = {"doc_id": name, "title": None, "rank": rank, "rank_before": before, "grade": 1, "reference_grade": grade}
    return facts | {"score": 1.0, "contributions": {"title_bm25": 0.4, "price": -0.1}}


COMPARED = {
    "metric": "ndcg@10", "truth": "reference", "query": "red shoe", "ranker": 0.25, "logged": 0.75, "difference": -0.5,
    "held_back": "", "against": "logged",
    "documents": [document("x", 1, 2, 0), document("y", 2, 1, 3), document("z", 9, 3, None)],
}  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        ([], (20, 0)),
        (["--best", "3"], (0, 3)),
        (["--worst", "2", "--best", "1"], (2, 1)),
    ],
)
def test_both_orders_stand_side_by_side(monkeypatch, arguments, asked):
    chosen = []

    def compare(env, corpus, choice, **_):
        chosen.append((choice.n_worst, choice.n_best))
        return [COMPARED]

    monkeypatch.setattr(searching, "compare", compare)
    shown = CliRunner().invoke(queries.queries, ["--corpus", "shop", *arguments])
    assert chosen == [asked]
    words = " ".join(shown.stdout.split())
    assert "red shoe ndcg@10: -0.500 (ranker 0.250, logged order 0.750)" in words
    assert "1 y 3 x 0 title_bm25 +0.400, price -0.100" in words
    assert "2 x 0 y 3" in words
    assert "1 query; the grades are those of people." in words


def test_a_ranker_that_was_held_back_is_said(monkeypatch):
    held_back = COMPARED | {"held_back": "000002-ab"}
    monkeypatch.setattr(searching, "compare", lambda *_, **__: [held_back])
    assert "not current: version 000002-ab" in CliRunner().invoke(queries.queries, ["--corpus", "shop"]).stderr


def test_searches_that_are_no_utf_8_or_empty_are_refused(search, tmp_path):
    (tmp_path / "searches").write_bytes("gr\u00fcner Schuh\n".encode("latin-1"))
    for arguments in (["--file", str(tmp_path / "searches")], ["--query", " "]):
        refused = CliRunner().invoke(queries.rank, ["shop", *arguments])
        assert refused.exit_code == 2
        assert "no UTF-8" in refused.stderr or "--query is empty" in refused.stderr
    assert search.asked == []


def test_a_search_that_finds_nothing_says_so(search, monkeypatch):
    monkeypatch.setattr(search, "answer", lambda given, **_: ((query, []) for query in given))
    assert "No document has a word of it" in rank("--query", "zzz")
    assert json.loads(rank("--query", "zzz", "--json")) == []


def test_no_query_of_the_kind_is_said(monkeypatch):
    monkeypatch.setattr(searching, "compare", lambda *_, **__: [])
    assert (
        "none that was asked for has lost or gained" in CliRunner().invoke(queries.queries, ["--corpus", "shop"]).stdout
    )
