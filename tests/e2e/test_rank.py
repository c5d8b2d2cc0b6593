"""`rankhammer rank`: a query that may be in no log, on the demo's small rankers."""

from __future__ import annotations

import json

import pytest


def ranked(project, *arguments):
    return json.loads(project.rankhammer("rank", "network", *arguments, "--json"))


@pytest.fixture(scope="module")
def project(finished_project, command_server):
    return finished_project[0].served_by(command_server)


@pytest.fixture(scope="module")
def whole(project):
    return ranked(project, "--query", "read mailbox messages", "--candidates", "50", "--top", "50")


def test_a_query_is_answered_in_the_rankers_order_and_explained(whole):
    scores = [document["score"] for document in whole]
    assert scores == sorted(scores, reverse=True)
    assert [document["rank"] for document in whole] == list(range(1, len(whole) + 1))
    assert sorted(document["rank_by_words"] for document in whole) == list(range(1, len(whole) + 1))
    assert [document["rank_by_words"] for document in whole] != list(range(1, len(whole) + 1))
    constants = {round(document["score"] - sum(document["contributions"].values()), 3) for document in whole}
    assert len(constants) == 1
    for document in whole:
        sizes = [abs(added) for added in document["contributions"].values()]
        assert sizes == sorted(sizes, reverse=True)
        assert document["fields"].keys() == {"title"}
    assert any(document["fields"]["title"] for document in whole)


def test_a_search_is_explained_by_why_each_document_stands_above_the_next(project, whole):
    output = project.rankhammer("rank", "network", "--query", "read mailbox messages", "--top", "2", "--explain")
    first, second = whole[:2]
    assert f"1 {first['doc_id']} above 2 {second['doc_id']}: {first['score'] - second['score']:+.4f}" in output
    differences = {
        name: first["contributions"][name] - second["contributions"][name] for name in first["contributions"]
    }
    largest = max(differences, key=lambda name: abs(differences[name]))
    assert f"{differences[largest]:+.4f}" in output


def test_fewer_documents_are_the_first_of_them(project, whole):
    few = ranked(project, "--query", "read mailbox messages", "--candidates", "50", "--top", "3")
    assert few == whole[:3]


def test_what_no_document_has_is_not_found_and_what_few_have_brings_these_alone(project):
    assert ranked(project, "--query", "zzzz qqqq") == []
    assert "No document has a word of it" in project.rankhammer("rank", "network", "--query", "zzzz qqqq")
    mail = ranked(project, "--query", "mailbox", "--candidates", "1000", "--top", "1000")
    texts = [sum(v for k, v in document["contributions"].items() if "bm25" in k) for document in mail]
    assert 0 < len(mail) < 200
    assert any(texts)
    assert "--query is empty" in project.rankhammer("rank", "network", "--query", " ", expect=2)


def test_a_corpus_without_a_ranker_is_named(project):
    output = project.rankhammer("rank", "netwrok", "--query", "x", expect=2)
    assert "no ranker of corpus 'netwrok'" in output
    assert "Did you mean 'network'" in output


def test_many_searches_are_answered_at_once_as_one_alone_is(project, whole, tmp_path):
    (tmp_path / "searches").write_text("open a socket\nread mailbox messages\n")
    arguments = ("--file", str(tmp_path / "searches"), "--candidates", "50", "--top", "50", "--json")
    lines = project.rankhammer("rank", "network", *arguments).splitlines()
    found = {answer["query"]: answer["documents"] for answer in map(json.loads, lines)}
    assert list(found) == ["open a socket", "read mailbox messages"]
    assert found["read mailbox messages"] == whole


def test_the_queries_that_lose_most_are_those_of_the_report(project):
    report = json.loads((project.path / "data/08_reporting/query_comparison.json").read_text())["corpora"]["stdlib"]
    found = json.loads(project.rankhammer("queries", "--corpus", "stdlib", "--worst", "2", "--best", "1", "--json"))
    expected = [*report["worst"][:2], report["best"][0]]
    assert [query["query"] for query in found] == [query["query"] for query in expected]
    assert found[0]["documents"][0]["title"] == expected[0]["documents"][0]["title"] is not None
    assert {query["metric"] for query in found} == {"ndcg@10"}
