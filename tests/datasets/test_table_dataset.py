"""Spark tables as hand-offs: complete or not there, on local paths and on Hadoop URIs."""

from __future__ import annotations

import pytest
from kedro.io import Version

from rankhammer.datasets import InputDataset, TableDataset, TableValidator
from rankhammer.datasets.handoff import MARKER
from rankhammer.digest import table_digest
from rankhammer.errors import ConfigError, SchemaError
from rankhammer.storage import split_scheme
from rankhammer.user_errors import user_error


@pytest.fixture
def pairs(spark):
    return spark.createDataFrame([("a", 1), ("b", 2), ("b", 3)], "corpus string, n int")


def test_rows_come_back_in_saved_column_order_when_partitioned(pairs, tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "pairs"), save_args={"partitionBy": ["corpus"]})
    dataset.save(pairs)
    assert dataset.load().columns == ["corpus", "n"]
    assert sorted(map(tuple, dataset.load().collect())) == [("a", 1), ("b", 2), ("b", 3)]


def test_a_corpus_named_like_a_number_stays_text(spark, tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "pairs"), save_args={"partitionBy": ["corpus"]})
    dataset.save(spark.createDataFrame([("001", 1)], "corpus string, n int"))
    assert dataset.load().first().corpus == "001"


def test_a_table_without_its_marker_does_not_exist(pairs, tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "pairs"))
    assert not dataset.exists()
    dataset.save(pairs)
    assert dataset.exists()
    (tmp_path / "pairs" / MARKER).unlink()
    assert not dataset.exists()


def test_versions_stand_beside_each_other(pairs, tmp_path):
    path = str(tmp_path / "pairs")
    TableDataset(filepath=path, version=Version(None, "2026-01-01T00.00.00.000Z")).save(pairs)
    TableDataset(filepath=path, version=Version(None, "2026-01-02T00.00.00.000Z")).save(pairs.limit(1))
    assert TableDataset(filepath=path, version=Version(None, None)).load().count() == 1
    assert TableDataset(filepath=path, version=Version("2026-01-01T00.00.00.000Z", None)).load().count() == 3


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("data/serps", ("", "data/serps")),
        ("hdfs://nn:8020/data/serps", ("hdfs://nn:8020", "/data/serps")),
        ("s3a://bucket/data", ("s3a://bucket", "/data")),
        ("file:///data", ("file://", "/data")),
    ],
)
def test_scheme_and_authority_are_kept(uri, parts):
    assert split_scheme(uri) == parts
    assert TableDataset(filepath=uri)._describe()["filepath"] == uri


def test_a_file_uri_is_the_local_path(pairs, tmp_path):
    TableDataset(filepath=f"file://{tmp_path}/pairs").save(pairs)
    assert TableDataset(filepath=str(tmp_path / "pairs")).load().count() == 3


def test_the_digest_of_rows_ignores_order_and_partitioning(pairs, spark):
    shuffled = pairs.repartition(3).orderBy("n", ascending=False)
    assert table_digest(pairs) == table_digest(shuffled)
    assert table_digest(pairs) != table_digest(pairs.limit(2))
    assert table_digest(pairs.limit(0)) == (0, "0" * 16)


def test_an_input_gets_our_column_names_and_constants(spark, tmp_path):
    (tmp_path / "products.json").write_text('{"sku": "p1", "title": "a"}\n')
    documents = InputDataset(
        filepath=str(tmp_path / "*.json"), file_format="json", columns={"doc_id": "sku"}, constants={"corpus": "main"}
    )
    row = documents.load().first()
    assert (row.doc_id, row.title, row.corpus) == ("p1", "a", "main")


def test_a_wrong_column_mapping_names_the_column_and_the_closest(spark, tmp_path):
    (tmp_path / "products.json").write_text('{"sku": "p1"}\n')
    documents = InputDataset(filepath=str(tmp_path), file_format="json", columns={"doc_id": "skuu"})
    with pytest.raises(Exception, match="skuu") as caught:
        documents.load()
    error = user_error(caught.value)
    assert isinstance(error, SchemaError)
    assert "Did you mean 'sku'?" in error.hint


def test_an_absent_input_is_an_error_unless_it_is_optional(spark, tmp_path):
    assert InputDataset(filepath=None, optional=True).load() is None
    for path in (str(tmp_path / "nothing"), None):
        with pytest.raises(Exception, match="does not exist") as caught:
            InputDataset(filepath=path).load()
        assert isinstance(user_error(caught.value), ConfigError)


def test_an_inputs_fingerprint_is_its_content_not_its_place(tmp_path):
    for folder in ("here", "there"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "log.csv").write_text("1\n")
    here, there = (InputDataset(filepath=str(tmp_path / name), file_format="csv") for name in ("here", "there"))
    assert here.fingerprint() == there.fingerprint()
    (tmp_path / "there" / "log.csv").write_text("2\n")
    assert here.fingerprint() != there.fingerprint()
    assert InputDataset(filepath=str(tmp_path / "here"), file_format="json").fingerprint() != here.fingerprint()


def test_a_validator_refuses_another_order_of_columns(spark):
    wrong = spark.createDataFrame([("d", "main")], "doc_id string, corpus string")
    with pytest.raises(SchemaError, match="in this order"):
        TableValidator(table="documents").validate(wrong)
    with pytest.raises(ConfigError, match="judgmentz"):
        TableValidator(table="judgmentz")


@pytest.fixture
def adaptive(spark):
    before = spark.conf.get("spark.sql.adaptive.enabled")
    spark.conf.set("spark.sql.adaptive.enabled", "true")
    yield spark
    spark.conf.set("spark.sql.adaptive.enabled", before)


@pytest.mark.parametrize("by", [["corpus"], []])
def test_many_tasks_write_few_files(adaptive, tmp_path, by):
    rows = adaptive.range(3000).selectExpr("concat('c', id % 3) AS corpus", "id").repartition(40)
    dataset = TableDataset(filepath=str(tmp_path / "rows"), save_args={"partitionBy": by})
    dataset.save(rows)
    assert len(list((tmp_path / "rows").rglob("*.parquet"))) <= 3
    assert table_digest(dataset.load()) == table_digest(rows)
