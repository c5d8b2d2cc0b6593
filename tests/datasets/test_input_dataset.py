"""Data from outside gets our names and types, or an error that says what was found and where to map it."""

from __future__ import annotations

import json

import pytest
from kedro.io import DataCatalog

from rankhammer.datasets import InputDataset
from rankhammer.errors import ConfigError, SchemaError
from rankhammer.user_errors import user_error

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
    assert dict(loaded.dtypes) == {"query": "string", "doc_id": "string", "grade": "int", "corpus": "string"}
    assert loaded.first().asDict() == {"query": "json", "doc_id": "7", "grade": 3, "corpus": "main"}


def test_a_missing_column_is_named_with_those_found_and_where_to_map_it(spark, tmp_path):
    error = refused(tmp_path, {"query": "json", "sku": 7, "label": 3}, grade="query")
    assert "'query' is missing; found ['corpus', 'doc_id', 'grade', 'label']" in error.message
    assert "reference_judgments.columns" in error.hint


def test_a_text_is_no_grade(spark, tmp_path):
    assert "'grade' has type string, expected int" in refused(tmp_path, GRADED | {"label": "good"}).message


def test_an_input_that_is_not_there_is_found_without_spark(tmp_path):
    with pytest.raises(ConfigError, match="does not exist"):
        InputDataset(filepath=str(tmp_path / "nothing")).require_found()
    with pytest.raises(ConfigError, match="path: null"):
        InputDataset(filepath=None).require_found()
    InputDataset(filepath=None, optional=True).require_found()
