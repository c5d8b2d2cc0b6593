"""`rankhammer rank`: a query that may be in no log, on the demo's small rankers."""

from __future__ import annotations

import json

import pytest

JVM_NOTICE = "WARNING: Using incubator modules: jdk.incubator.vector"


def ranked(project, *arguments):
    output = project.rankhammer("rank", "network", *arguments, "--json")
    return json.loads(output.removeprefix(JVM_NOTICE))


@pytest.fixture(scope="module")
def whole(finished_project):
    return ranked(finished_project[0], "--query", "read mailbox messages", "--candidates", "50", "--top", "50")


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


def test_fewer_documents_are_the_first_of_them(finished_project, whole):
    few = ranked(finished_project[0], "--query", "read mailbox messages", "--candidates", "50", "--top", "3")
    assert few == whole[:3]


def test_a_corpus_without_a_ranker_is_named(finished_project):
    output = finished_project[0].rankhammer("rank", "netwrok", "--query", "x", expect=2)
    assert "no ranker of corpus 'netwrok'" in output
    assert "Did you mean 'network'" in output
