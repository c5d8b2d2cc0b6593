"""`rankhammer rank` finds the same documents by Spark and in the file that was kept of them."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankhammer.datasets import InputDataset
from rankhammer.errors import ConfigError, DataError
from rankhammer.evaluation.search_candidates import KeptCandidates, SparkCandidates
from rankhammer.feature_sets import FeatureSet
from rankhammer.plugins import PluginSpec
from rankhammer.runs import searched_documents

MATCHES = [
    {"name": "title_bm25", "type": "match", "field": "title"},
    {"name": "title_phrase", "type": "phrase", "field": "title", "absent": "keep"},
    {"name": "body_bm25", "type": "match", "field": "body", "analyzer": "standard"},
]
NUMBERS = [{"name": "sold", "type": "field_value", "field": "sold", "modifier": "log1p"}]
QUERIES = ["red shoe", "shoe", "blue 'running' shoes", "zzzz", "été"]
WORDS = ["red", "blue", "shoe", "shoes", "running", "été", "horn"]


def documents(n=60):
    """Many have equal texts, so that ids decide; some lack a field, one stands twice, one has no number."""
    random = np.random.default_rng(7)
    texts = [" ".join(random.choice(WORDS, 3)) for _ in range(n)]
    rows = [
        {"corpus": "shop", "doc_id": f"{k % 7}-ö{k}", "title": texts[k % 20], "body": texts[k % 9], "sold": k}
        for k in range(n)
    ]
    rows[3]["title"] = rows[4]["body"] = None
    rows[5]["sold"] = None
    return [*rows, rows[0], {**rows[0], "corpus": "other"}]


class Project:
    """A project's configuration, as far as a search needs it."""

    def __init__(self, folder, *, title="title", features=MATCHES + NUMBERS):
        self.folder = folder
        self.ranker = SimpleNamespace(
            corpus="shop", feature_set=FeatureSet.model_validate({"name": "test", "features": features})
        )
        self.context = SimpleNamespace(
            project_path=folder,
            config_loader={"globals": {"paths": {"intermediate": "data/02_intermediate"}}},
            params={
                "features": SimpleNamespace(source=PluginSpec(name="embedded")),
                "query_report": SimpleNamespace(title_field=title),
            },
        )

    def write(self, rows):
        (self.folder / "documents.json").write_text("\n".join(map(json.dumps, rows)))

    def open(self, *fields, corpus="shop", file_format="json"):
        dataset = InputDataset(filepath=str(self.folder / f"documents.{file_format}"), file_format=file_format)
        self.ranker.corpus = corpus
        return searched_documents.find(self.context, {"documents": dataset}, self.ranker, fields)

    @property
    def kept(self):
        return sorted((self.folder / "data/02_intermediate/searched_documents").rglob("*-*"))


@pytest.fixture
def project(tmp_path):
    made = Project(tmp_path)
    made.write(documents())
    return made


def answers(candidates, fields=("title",), n=9):
    found = candidates.find(QUERIES, n, fields)
    return {
        query: [(one.doc_id, np.array(one.features, np.float32).tobytes(), one.fields) for one in found[query]]
        for query in QUERIES
    }


def without_keeping(monkeypatch, project, *fields):
    with monkeypatch.context() as patched:
        patched.setattr(searched_documents, "MOST_BYTES", -1)
        candidates, shown = project.open(*fields)
    assert isinstance(candidates, SparkCandidates)
    return candidates, shown


@pytest.mark.parametrize("features", [MATCHES + NUMBERS, NUMBERS], ids=["words", "numbers alone"])
def test_kept_documents_give_what_spark_finds(spark, tmp_path, monkeypatch, features):
    project = Project(tmp_path, features=features)
    project.write(documents())
    first, _ = project.open("sold")
    again, shown = project.open("sold")
    expected = answers(without_keeping(monkeypatch, project, "sold")[0], shown)
    assert shown == ("title", "sold")
    assert isinstance(again, KeptCandidates)
    assert answers(first, shown) == answers(again, shown) == expected
    assert {len(found) for found in expected.values()} == ({0, 9} if features is not NUMBERS else {9})


def test_a_second_search_needs_no_spark(spark, project, monkeypatch):
    expected = answers(project.open()[0])
    monkeypatch.setattr(InputDataset, "load", None)
    again, shown = project.open("body", "sold")
    assert answers(again) == expected
    assert shown == ("title", "body", "sold")


def test_parts_of_the_documents_give_what_all_do(spark, project, monkeypatch):
    candidates = project.open()[0]
    expected = answers(candidates, n=5)
    monkeypatch.setattr("rankhammer.evaluation.search_candidates._SCORED_TOGETHER", 7)
    assert answers(candidates, n=5) == expected


def test_documents_that_have_changed_are_prepared_again_and_alone(spark, project):
    project.open()
    (before,) = project.kept
    project.write([*documents(), {"corpus": "shop", "doc_id": "new", "title": "red shoe red shoe", "body": "red shoe"}])
    assert answers(project.open()[0])["red shoe"][0][0] == "new"
    (after,) = project.kept
    assert before != after


def test_fields_of_other_types_are_shown_as_text_and_bytes_that_are_none_stop_nothing(spark, project, monkeypatch):
    rows = [{**row, "tags": ["new", "red"], "image": b"\xff\xfe"} for row in documents()]
    pq.write_table(pa.Table.from_pylist(rows), project.folder / "documents.parquet")
    candidates, shown = project.open("tags", "image", file_format="parquet")
    with monkeypatch.context() as patched:
        patched.setattr(searched_documents, "MOST_BYTES", -1)
        expected = answers(project.open("tags", "image", file_format="parquet")[0], shown)
    assert answers(candidates, shown) == expected
    assert expected["red shoe"][0][2][1:] == ("[new, red]", "\ufffd\ufffd")


def test_a_damaged_file_is_made_again(spark, project):
    expected = answers(project.open()[0])
    (path,) = project.kept
    path.write_bytes(path.read_bytes()[:-100])
    assert answers(project.open()[0]) == expected
    assert project.kept == [path]


def test_fields_and_corpora_that_are_not_there_are_named(spark, project):
    assert Project(project.folder, title="name").open()[1] == ()
    with pytest.raises(ConfigError, match="no field 'titel'"):
        project.open("titel")
    with pytest.raises(DataError, match="'shopp' has no document"):
        project.open(corpus="shopp")
