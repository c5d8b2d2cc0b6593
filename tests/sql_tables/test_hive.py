"""Statements for Hive: a name goes over to another table in one step. tests/chaos runs them on HDFS, by JDBC."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rankhammer.errors import ConfigError, DataError
from rankhammer.sql_tables import hive
from rankhammer.sql_tables.glue import CatalogEntry

MATRIX = CatalogEntry(
    "matrix", "hdfs:///runs/1/matrix", {"qid": "int", "f": "struct<a:float>"}, "v1", {"corpus": ["de", "lu"]}
)


def _views(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.startswith("CREATE OR REPLACE VIEW")]


def test_a_table_has_its_columns_its_folder_and_its_partitions():
    text = hive.statements("shop", [MATRIX])
    table = _views(text)[0].rpartition(" FROM ")[2].rstrip(";")
    assert text.split("\n\n")[-1] == (
        f"CREATE EXTERNAL TABLE IF NOT EXISTS {table} (\n  `qid` int,\n  `f` struct<a:float>\n"
        ") PARTITIONED BY (`corpus` string)\nSTORED AS PARQUET LOCATION 'hdfs:///runs/1/matrix';\n"
        f"MSCK REPAIR TABLE {table};\nCREATE OR REPLACE VIEW `shop`.`matrix` AS SELECT * FROM {table};\n"
    )
    assert text == hive.statements("shop", [MATRIX])


@pytest.mark.parametrize(
    "change", [{"location": "hdfs:///runs/2/matrix"}, {"columns": {"qid": "int"}}, {"partitions": {"corpus": ["de"]}}]
)
def test_a_table_of_another_form_has_another_name_under_the_same_view(change):
    before, after = (_views(hive.statements("shop", [entry]))[0] for entry in (MATRIX, replace(MATRIX, **change)))
    assert before.partition(" AS ")[0] == after.partition(" AS ")[0]
    assert before != after


def test_rows_that_are_written_again_need_no_other_table():
    assert hive.statements("shop", [MATRIX]) == hive.statements("shop", [replace(MATRIX, version="v2")])


@pytest.mark.parametrize("path", ["hdfs:///runs/it's", "hdfs:///a;b", "hdfs:///a\nb", "hdfs:///a\\b"])
def test_a_folder_that_would_end_a_statement_is_refused(path):
    with pytest.raises(ConfigError, match="cannot stand in a statement"):
        hive.statements("shop", [replace(MATRIX, location=path)])


def test_a_folder_of_this_machine_is_named_as_such_and_no_table_is_none():
    assert hive.location("/data/matrix") == "file:///data/matrix"
    with pytest.raises(DataError, match="No table is finished"):
        hive.statements("shop", [])
