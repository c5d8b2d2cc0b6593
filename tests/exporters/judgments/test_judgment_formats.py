"""What is written can be read back by a reader that knows the format alone."""

from __future__ import annotations

import csv
import io
import json
import re
from urllib.parse import unquote

import pytest

from rankhammer.exporters.judgments import JudgedQuery
from rankhammer.exporters.judgments.quepid import Quepid, QuepidOptions
from rankhammer.exporters.judgments.srw import Srw, SrwOptions
from rankhammer.exporters.judgments.trec import Trec, TrecOptions

ODD_TEXTS = [
    "",
    '"',
    '"quoted"',
    "a, b",
    'say "hi", you',
    "two\nlines",
    "cr\r\nlf",
    "tab\tbed",
    "万用表",
    "naïve é🙂",
    "'#;\\",
]
QUERIES = [JudgedQuery(text, f"{number:016x}", {"d,1": 0, 'd"2': 3, "d3": 4}) for number, text in enumerate(ODD_TEXTS)]


def files(exporter, queries, corpus="main") -> dict[str, bytes]:
    parsed: dict[str, bytes] = {}
    for name, content in exporter.write(corpus, queries):
        parsed[name] = parsed.get(name, b"") + content
    return parsed


def pairs(queries) -> dict[tuple[str, str], int]:
    return {(query.text, doc_id): grade for query in queries for doc_id, grade in query.grades.items()}


def qrels(content: bytes) -> list[list[str]]:
    return [line.split() for line in content.decode().split("\n")[:-1]]


def test_quepid_rows_are_the_judgments_whatever_the_text() -> None:
    content = files(Quepid(QuepidOptions()), QUERIES)["ratings.csv"].decode()
    header, *rows = csv.reader(io.StringIO(content, newline=""))
    assert header == ["query", "docid", "rating"]
    assert {(query, doc_id): int(grade) for query, doc_id, grade in rows} == pairs(QUERIES)
    assert len(rows) == len(ODD_TEXTS) * 3


def test_quepid_header_is_the_exact_first_line_that_the_browser_compares() -> None:
    assert files(Quepid(QuepidOptions()), [])["ratings.csv"] == b"query,docid,rating\n"


@pytest.mark.parametrize(
    ("query", "doc_id", "is_refused"),
    [
        ("a, b", "d", False),
        ('say "hi"', "d", False),
        ("two\nlines", "d", False),
        ('say "hi", you', "d", True),
        ("a, b", "d,1", True),
        ("a, b, c, d\ne", "d", True),
        ("a, b\rc, d, e, f", "d", True),
    ],
)
def test_quepid_leaves_out_what_its_browser_import_would_refuse_a_file_for(query, doc_id, is_refused) -> None:
    assert bool(Quepid(QuepidOptions()).fault(query, doc_id)) is is_refused
    assert Quepid(QuepidOptions(browser=False)).fault(query, doc_id) == ""


def test_quepid_leaves_out_what_its_database_has_no_room_for() -> None:
    quepid = Quepid(QuepidOptions())
    assert quepid.fault("q" * 2048, "d" * 500) == ""
    assert "2048" in quepid.fault("q" * 2049, "d")
    assert "500" in quepid.fault("q", "d" * 501)
    assert "empty" in quepid.fault(" \n", "d")


def test_trec_lines_and_topics_give_the_judgments_back() -> None:
    parsed = files(Trec(TrecOptions()), QUERIES)
    topics = dict(line.split("\t") for line in parsed["topics.tsv"].decode().split("\n")[:-1])
    lines = qrels(parsed["qrels.txt"])
    assert {iteration for _, iteration, _, _ in lines} == {"0"}
    assert [topics[f"{number:016x}"] for number in range(len(ODD_TEXTS))] == [
        " ".join(text.split()) for text in ODD_TEXTS
    ]
    read = {(topic, doc_id): int(grade) for topic, _, doc_id, grade in lines}
    assert read == {(query.topic_id, doc_id): grade for query in QUERIES for doc_id, grade in query.grades.items()}


@pytest.mark.parametrize("doc_id", ["a b", " a", "a\t", "a\nb", "a\u00a0b", "a\u2028b", "a\x1cb", "a\0"])
def test_trec_leaves_out_a_document_whose_id_has_white_space(doc_id: str) -> None:
    assert "white space" in Trec(TrecOptions()).fault("q", doc_id)


@pytest.mark.parametrize("doc_id", ["a b", "a%20b", "100%", "a\u00a0b\u2028", "é#/?&=+", "plain"])
def test_trec_escapes_so_that_the_id_can_be_read_back(doc_id: str) -> None:
    trec = Trec(TrecOptions(escape=True))
    assert trec.fault("q", doc_id) == ""
    ((topic, iteration, parsed, grade),) = qrels(files(trec, [JudgedQuery("q", "t", {doc_id: 2})])["qrels.txt"])
    assert (topic, iteration, unquote(parsed), grade) == ("t", "0", doc_id, "2")


def test_trec_escape_changes_only_white_space_and_percent() -> None:
    lines = qrels(files(Trec(TrecOptions(escape=True)), [JudgedQuery("q", "t", {"é b#%": 2})])["qrels.txt"])
    assert lines == [["t", "0", "é%20b#%25", "2"]]


def test_srw_body_is_the_one_of_the_import_request() -> None:
    query = JudgedQuery('red "dress"', "t", {"a b": 0, "B077": 3})
    body = json.loads(files(Srw(SrwOptions()), [query], "shop")["judgments-0001.json"])
    assert re.fullmatch("rankhammer-shop [0-9a-f]{12} 0001", body["name"])
    assert body == {
        "name": body["name"],
        "type": "IMPORT_JUDGMENT",
        "judgmentRatings": [
            {"query": 'red "dress"', "ratings": [{"docId": "a b", "rating": "0.0"}, {"docId": "B077", "rating": "3.0"}]}
        ],
    }


def test_srw_lists_hold_the_judgments_whatever_the_text() -> None:
    (body,) = map(json.loads, files(Srw(SrwOptions()), QUERIES).values())
    read = {
        (rated["query"], rating["docId"]): float(rating["rating"])
        for rated in body["judgmentRatings"]
        for rating in rated["ratings"]
    }
    assert read == pairs(QUERIES)


def test_srw_lists_stay_within_the_nested_objects_of_one_document() -> None:
    # Objects: 1 + 3, 1 + 1, 1 + 7 with a limit of 6, so that the last query is itself cut after 5 ratings.
    sizes = {"a": 3, "b": 1, "c": 7}
    queries = [JudgedQuery(text, text, {f"d{n}": n for n in range(size)}) for text, size in sizes.items()]
    bodies = [json.loads(content) for content in files(Srw(SrwOptions(max_nested_objects=6)), queries).values()]
    lists = [[(rated["query"], len(rated["ratings"])) for rated in body["judgmentRatings"]] for body in bodies]
    assert lists == [[("a", 3), ("b", 1)], [("c", 5)], [("c", 2)]]
    assert [body["name"][-4:] for body in bodies] == ["0001", "0002", "0003"]


def test_srw_name_follows_the_content() -> None:
    def names(*queries):
        return [json.loads(content)["name"] for content in files(Srw(SrwOptions()), queries).values()]

    query = JudgedQuery("a", "t", {"d": 1})
    assert names(query) == names(JudgedQuery("a", "another", {"d": 1}))
    assert names(query) != names(JudgedQuery("a", "t", {"d": 2}))


def test_srw_name_fits_the_workbench() -> None:
    (body,) = map(json.loads, files(Srw(SrwOptions()), QUERIES, 'a "very" <long>\\ name ' * 9).values())
    assert len(body["name"]) == 50
    assert not set('"\\<>') & set(body["name"])


def test_srw_of_no_queries_has_no_list() -> None:
    assert files(Srw(SrwOptions()), []) == {}
