"""Tables that jobs declare, and the table that reports become."""

from __future__ import annotations

import io

import pytest
from pyarrow import parquet

from rankhammer.errors import ConfigError
from rankhammer.sql_tables import report_rows
from rankhammer.sql_tables.folders import finished, partitions
from rankhammer.sql_tables.settings import read_settings
from rankhammer.storage.base import LocalStorage

TABLE = {"path": "s3a://b/x", "columns": {"size": "int", "accuracy": "double", "family": "string"}}


def test_a_declared_table_has_columns_and_a_plot():
    plot = {"x": "size", "y": "accuracy", "by": "family"}
    found = read_settings({"declared": {"sizes": TABLE | {"plot": plot, "order_by": ["size"]}}})
    assert found.declared["sizes"].plot.by == "family"
    assert found.database == "rankhammer"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"columns": {"size": "integer"}}, "no type 'integer'"),
        ({"columns": {"Größe": "int"}}, "cannot be a column"),
        ({"order_by": ["sise"]}, "no column 'sise'"),
        ({"plot": {"x": "family", "y": "accuracy"}}, "family is no number"),
        ({"paths": "x"}, "paths"),
    ],
)
def test_a_wrong_declaration_is_refused(change, words):
    with pytest.raises(ConfigError, match=words):
        read_settings({"declared": {"sizes": TABLE | change}})


def test_a_name_that_sql_cannot_have_is_refused():
    with pytest.raises(ConfigError, match="cannot be a table"):
        read_settings({"declared": {"1; DROP": TABLE}})


def test_every_value_of_a_report_is_a_row():
    content = {"corpora": {"main": {"ndcg@10": 0.5, "notes": ["few", True, None]}}}
    read = parquet.read_table(io.BytesIO(report_rows.parquet({"training_report": content}))).to_pylist()
    assert [(row["path"], row["number"], row["text"]) for row in read] == [
        ("corpora/main/ndcg@10", 0.5, None),
        ("corpora/main/notes/0", None, "few"),
        ("corpora/main/notes/1", None, "true"),
        ("corpora/main/notes/2", None, None),
    ]
    assert parquet.read_table(io.BytesIO(report_rows.parquet({}))).num_rows == 0


def test_a_folder_counts_when_its_writer_has_finished(tmp_path):
    (tmp_path / "family=a").mkdir()
    (tmp_path / "family=a" / "part-0.parquet").write_bytes(b"x")
    (tmp_path / "_temporary").mkdir()
    (tmp_path / "_temporary" / "part-1.parquet").write_bytes(b"x")
    assert finished(LocalStorage(), str(tmp_path)) is None
    (tmp_path / "_SUCCESS").write_bytes(b"")
    found = finished(LocalStorage(), str(tmp_path))
    assert list(found.files) == ["family=a/part-0.parquet"]
    assert partitions(found.files) == {"family": ["a"]}
    assert finished(LocalStorage(), str(tmp_path / "none")) is None
