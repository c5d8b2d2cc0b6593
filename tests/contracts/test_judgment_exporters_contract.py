"""Rules that every judgment exporter keeps, whoever provides it."""

from __future__ import annotations

import re
from itertools import groupby
from operator import itemgetter
from typing import Any

import pytest

from rankhammer import plugins
from rankhammer.exporters.judgments import JudgedQuery
from rankhammer.exporters.judgments.files import MANIFEST

NAMES = [info.name for info in plugins.installed() if info.group == "judgment_exporters"]
QUERIES = [
    JudgedQuery('18" wheel, "black"', "b2", {"a,b": 1, "c": 0}),
    JudgedQuery("naïve Bücher 万用表", "a1", {"c": 4}),
    JudgedQuery("two\nlines\tand more", "c3", {"x": 2, "y": 3}),
]


@pytest.fixture(params=NAMES)
def exporter(request: pytest.FixtureRequest) -> Any:
    return plugins.create("judgment_exporters", plugins.PluginSpec(name=request.param))


def test_built_in_judgment_exporters_are_registered() -> None:
    assert {"srw", "quepid", "trec"} <= set(NAMES)


def test_target_is_a_folder_name(exporter: Any) -> None:
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", exporter.target)


def test_written_twice_is_the_same_parts(exporter: Any) -> None:
    assert list(exporter.write("main", QUERIES)) == list(exporter.write("main", QUERIES))


def test_queries_are_read_once(exporter: Any) -> None:
    assert list(exporter.write("main", iter(QUERIES))) == list(exporter.write("main", QUERIES))


def test_parts_of_a_file_follow_each_other_under_a_plain_name(exporter: Any) -> None:
    names = [name for name, _ in groupby(exporter.write("main", QUERIES), key=itemgetter(0))]
    assert names
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name) and name != MANIFEST for name in names)


def test_contents_are_utf_8(exporter: Any) -> None:
    assert all(content.decode() is not None for _, content in exporter.write("main", QUERIES))


def test_a_corpus_of_which_all_is_left_out_is_no_error(exporter: Any) -> None:
    assert b"".join(content for _, content in exporter.write("main", [])).count(b"\n") <= 1


def test_a_plain_pair_has_no_fault(exporter: Any) -> None:
    assert exporter.fault("red shoe", "sku-1") == ""


def test_an_empty_document_id_is_a_fault_in_the_same_words_for_every_query(exporter: Any) -> None:
    assert exporter.fault("red shoe", "")
    assert exporter.fault("red shoe", "") == exporter.fault("blue", "")
