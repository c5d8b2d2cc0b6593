"""Data from outside gets our names and types, or an error that says what was found and where to map it."""

from __future__ import annotations

import json

import pytest
from kedro.io import DataCatalog

from rankhammer.casts import FAULT
from rankhammer.datasets import InputDataset
from rankhammer.datasets.known_options import KNOWN
from rankhammer.errors import ConfigError, SchemaError
from rankhammer.runs.user_errors import user_error

GRADED = {"query": "json", "sku": 7, "label": 3}


def load(folder, row=GRADED, **columns: str):
    """Load one row as the catalog of conf/base does."""
    (folder / "judgments.json").write_text(json.dumps(row) + "\n")
    entry = {
        "type": "rankhammer.datasets.InputDataset",
        "filepath": str(folder / "judgments.json"),
        "file_format": "json",
        "columns": {"doc_id": "sku", "grade": "label"} | columns,
        "constants": {"corpus": "main"},
        "validator": {"class": "rankhammer.datasets.InputValidator", "options": {"table": "reference_judgments"}},
    }
    return DataCatalog.from_config({"reference_judgments": entry}).load("reference_judgments")


def refused(folder, row=GRADED, **columns: str) -> SchemaError:
    with pytest.raises(Exception, match="column") as caught:
        load(folder, row, **columns)
    error = user_error(caught.value)
    assert isinstance(error, SchemaError)
    assert "globals.yml" in error.hint
    return error


def test_numbers_take_the_tables_types(spark, tmp_path):
    loaded = load(tmp_path)
    types = {"query": "string", "doc_id": "string", "grade": "int", "corpus": "string", FAULT: "string"}
    assert dict(loaded.dtypes) == types
    assert loaded.first().asDict() == {"query": "json", "doc_id": "7", "grade": 3, "corpus": "main", FAULT: None}


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"label": "2.0"}, None),
        ({"label": None}, None),
        ({"label": 0.5}, "unreadable_grade"),
        ({"label": -2}, "unreadable_grade"),
        ({"label": "100"}, "unreadable_grade"),
        ({"sku": 7.5}, "unreadable_doc_id"),
        ({"sku": " "}, "missing_doc_id"),
        ({"query": ""}, "missing_query"),
        ({"query": "q" * 10_001}, "too_long"),
    ],
)
def test_what_does_not_fit_is_a_fault_of_its_row(spark, tmp_path, change, fault):
    assert load(tmp_path, GRADED | change).first()[FAULT] == fault


def test_ids_of_a_csv_keep_their_zeros_whatever_is_to_be_inferred(spark, tmp_path):
    (tmp_path / "documents.csv").write_text("doc_id,popularity\n007,12\n")
    args = {"header": True, "inferSchema": True}
    loaded = InputDataset(filepath=str(tmp_path / "documents.csv"), file_format="csv", load_args=args).load()
    assert loaded.first().asDict() == {"doc_id": "007", "popularity": "12"}


@pytest.mark.parametrize(
    ("file_format", "option", "meant"),
    [
        ("csv", "seperator", "Did you mean 'sep'?"),
        ("csv", "Headr", "Did you mean 'header'?"),
        ("csv", "quotechar", "Did you mean 'quote'?"),
        ("csv", "zzz", "Known names: "),
        ("json", "multi_line", "Did you mean 'multiLine'?"),
        ("parquet", "mergeSchemas", "Did you mean 'mergeSchema'?"),
        ("orc", "recursivFileLookup", "Did you mean 'recursiveFileLookup'?"),
        ("text", "linesep_", "Did you mean 'lineSep'?"),
    ],
)
def test_an_option_that_no_reader_has_is_refused_with_the_one_that_was_meant(tmp_path, file_format, option, meant):
    dataset = InputDataset(filepath=str(tmp_path), file_format=file_format, load_args={option: ";"})
    with pytest.raises(ConfigError, match=f"{file_format} reader has no option '{option}'") as caught:
        dataset.require_found()
    assert caught.value.hint.startswith(meant)


@pytest.mark.parametrize("options", [{"DELIMITER": ";"}, {"multiline": True}, {"fs.s3a.endpoint": "x"}])
def test_an_option_of_a_reader_is_let_through_in_any_case_and_so_is_a_setting_of_hadoop(tmp_path, options):
    (tmp_path / "one.json").write_text('{"a": 1}\n')
    InputDataset(filepath=str(tmp_path), file_format="json", load_args=options).require_found()


def test_every_option_that_spark_itself_lists_is_known(spark):
    execution = spark._jvm.org.apache.spark.sql.execution.datasources
    listed = {
        "csv": spark._jvm.org.apache.spark.sql.catalyst.csv.CSVOptions,
        "json": spark._jvm.org.apache.spark.sql.catalyst.json.JSONOptions,
        "parquet": execution.parquet.ParquetOptions,
        "orc": execution.orc.OrcOptions,
        "text": execution.text.TextOptions,
    }
    for file_format, options in listed.items():
        names = {name for name in options.getAllOptions().mkString(",").split(",") if "." not in name}
        assert names <= set(KNOWN[file_format])


def test_a_missing_column_is_named_with_those_found_and_where_to_map_it(spark, tmp_path):
    error = refused(tmp_path, {"query": "json", "sku": 7, "label": 3}, grade="query")
    assert "'query' is missing; found ['corpus', 'doc_id', 'grade', 'label']" in error.message
    assert "reference_judgments.columns" in error.hint


def test_a_list_is_no_grade(spark, tmp_path):
    error = refused(tmp_path, GRADED | {"label": [3]})
    assert "'grade' has type array<bigint>, expected a whole number from 0 to 31" in error.message
    assert "inferSchema" not in error.hint


def test_an_input_that_is_not_there_is_found_without_spark(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        InputDataset(filepath=str(tmp_path / "nothing")).require_found()
    with pytest.raises(ConfigError, match="path: null"):
        InputDataset(filepath=None).require_found()
    InputDataset(filepath=None, optional=True).require_found()
