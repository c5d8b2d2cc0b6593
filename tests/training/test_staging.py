"""Files on their way from a Hadoop filesystem to the workers."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from pyspark import SparkFiles

from rankhammer.errors import DataError
from rankhammer.training.matrix import read_facts, rows_digest
from rankhammer.training.staging import stage_matrix


def _sizes_in_workers(spark, staged) -> list[int]:
    names = [name for corpus in staged.values() for name in corpus.names]
    return (
        spark.sparkContext.parallelize(names, 2).map(lambda name: Path(SparkFiles.get(name)).stat().st_size).collect()
    )


def test_two_corpora_of_one_part_name_stay_apart(spark, stored_matrix, matrix_rows):
    staged = stage_matrix(stored_matrix({"a": matrix_rows("a"), "b": matrix_rows("b", n_queries=20)}))
    assert list(staged) == ["a", "b"]
    assert [read_facts(corpus.paths).n_rows["test"] for corpus in staged.values()] == [80, 40]
    assert _sizes_in_workers(spark, staged) == [Path(corpus.paths[0]).stat().st_size for corpus in staged.values()]


def test_a_matrix_written_again_to_the_same_path_is_not_served_from_the_old_one(spark, stored_matrix, matrix_rows):
    before = stage_matrix(stored_matrix({"a": matrix_rows("a")}))
    after = stage_matrix(stored_matrix({"a": matrix_rows("a", n_queries=20)}))
    assert read_facts(after["a"].paths).n_rows["test"] == 40
    assert _sizes_in_workers(spark, after) != _sizes_in_workers(spark, before)


def test_the_same_content_is_staged_under_the_same_name(stored_matrix, matrix_rows):
    first = stage_matrix(stored_matrix({"a": matrix_rows("a")}, folder="one"))
    second = stage_matrix(stored_matrix({"a": matrix_rows("a")}, folder="two"))
    assert first == second


def test_rows_have_one_digest_whatever_their_file_s_footer_says(tmp_path, matrix_rows, write_corpus):
    stored = write_corpus(tmp_path / "a.parquet", matrix_rows("a"))
    table = pq.read_table(stored)
    others = {
        "footer": table.replace_schema_metadata({"written": "by another process"}),
        "rows": table.slice(1),
        "schema": table.rename_columns(["other", *table.column_names[1:]]),
    }
    for name, other in others.items():
        pq.write_table(other, tmp_path / f"{name}.parquet")
    content = {name: (tmp_path / f"{name}.parquet").read_bytes() for name in ("a", *others)}
    assert len(set(content.values())) == 4
    digests = {name: rows_digest(tmp_path / f"{name}.parquet") for name in content}
    assert digests["a"] == digests["footer"]
    assert len(set(digests.values())) == 3


def test_a_corpus_may_have_any_name(stored_matrix, matrix_rows):
    matrix = stored_matrix({"a b%25ü": matrix_rows("a")})
    (corpus,) = stage_matrix(matrix).values()
    assert corpus.corpus == "a b%ü"
    assert read_facts(corpus.paths).n_rows["test"] == 80


def test_a_matrix_that_lies_in_no_file_is_refused(spark):
    with pytest.raises(DataError, match="not read from files"):
        stage_matrix(spark.createDataFrame([("a",)], "corpus string"))


def test_an_empty_matrix_is_refused(stored_matrix):
    with pytest.raises(DataError, match="is empty"):
        stage_matrix(stored_matrix({"a": []}))
