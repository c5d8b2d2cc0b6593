"""Spark tables as hand-offs: complete or not there, on local paths and on Hadoop URIs."""

from __future__ import annotations

import json

import pytest
from kedro.io import Version

from rankhammer import schemas
from rankhammer.datasets import InputDataset, TableDataset, TableValidator
from rankhammer.datasets.handoff import MARKER
from rankhammer.datasets.table_dataset import COLUMNS
from rankhammer.errors import ConfigError, SchemaError
from rankhammer.runs import execute
from rankhammer.runs.execute import table_digest
from rankhammer.runs.user_errors import user_error
from rankhammer.storage.base import split_scheme


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


def of_an_earlier_version(marker) -> None:
    """Leave of a marker what version 0.1 wrote."""
    content = json.loads(marker.read_text())
    marker.write_text(json.dumps({name: content[name] for name in content if name not in ("files", "format")}))


def jobs_so_far(spark) -> int:
    return spark.sparkContext._jsc.sc().dagScheduler().numTotalJobs()


def test_to_open_a_table_asks_for_no_job_and_one_of_an_earlier_version_without_columns_is_opened_all_the_same(
    spark, pairs, tmp_path
):
    dataset = TableDataset(filepath=str(tmp_path / "pairs"), save_args={"partitionBy": ["corpus"]})
    dataset.save(pairs)
    before = jobs_so_far(spark)
    known = dataset.load()
    assert jobs_so_far(spark) == before
    (tmp_path / "pairs" / COLUMNS).unlink()
    of_an_earlier_version(tmp_path / "pairs" / MARKER)
    asked = dataset.load()
    assert jobs_so_far(spark) > before
    assert (asked.schema, table_digest(asked)) == (known.schema, table_digest(known))


def test_versions_stand_beside_each_other(pairs, tmp_path):
    path = str(tmp_path / "pairs")
    TableDataset(filepath=path, version=Version(None, "2026-01-01T00.00.00.000Z")).save(pairs)
    TableDataset(filepath=path, version=Version(None, "2026-01-02T00.00.00.000Z")).save(pairs.limit(1))
    assert TableDataset(filepath=path, version=Version(None, None)).load().count() == 1
    assert TableDataset(filepath=path, version=Version("2026-01-01T00.00.00.000Z", None)).load().count() == 3


def test_a_table_behind_a_link_stays_where_the_link_leads(pairs, tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "pairs").symlink_to(tmp_path / "disk")
    dataset = TableDataset(filepath=str(tmp_path / "pairs"))
    for table in (pairs, pairs.limit(2)):
        dataset.save(table)
    assert (tmp_path / "pairs").is_symlink()
    assert (tmp_path / "disk" / MARKER).exists()
    assert dataset.load().count() == 2


def test_a_table_that_could_not_be_written_leaves_no_file(pairs, tmp_path):
    dataset = TableDataset(filepath=str(tmp_path / "pairs"))
    dataset.save(pairs)
    with pytest.raises(Exception, match="no more room"):
        dataset.save(pairs.selectExpr("corpus", "if(n = 3, raise_error('no more room'), n) AS n"))
    assert not list((tmp_path / "pairs").rglob("*"))
    assert not dataset.exists()


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


def test_an_input_is_asked_for_its_columns_once(spark, tmp_path):
    (tmp_path / "products.json").write_text('{"sku": "p1", "title": "a"}\n')
    documents = InputDataset(filepath=str(tmp_path), file_format="json", columns={"doc_id": "sku"})
    first = documents.load()
    before = jobs_so_far(spark)
    again = documents.load()
    assert jobs_so_far(spark) == before
    assert (again.schema, again.collect()) == (first.schema, first.collect())


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


def test_timings_are_no_part_of_a_tables_digest(spark, tmp_path):
    def digest(seconds: float) -> str:
        trials = TableDataset(filepath=str(tmp_path / "tuning_trials"))
        rows = [("a", 1, -0.5, "ok", 3, "{}", seconds, "xgboost", 0.5, None, None, True, "", [0.5, 0.5], 0.0)]
        trials.save(spark.createDataFrame(rows, schemas.ddl(schemas.TUNING_TRIALS.columns)))
        return execute._describe("tuning_trials", trials, verify=True)["digest"]

    assert digest(1.0) == digest(2.0)
