"""Files that are not what their input says: a typed error that names the file, and a hint; never a Java trace."""

from __future__ import annotations

import bz2
import gzip
import io
import json

import pyarrow as pa
import pyarrow.orc as orc
import pyarrow.parquet as pq
import pytest

from rankhammer.datasets import InputDataset, LogDataset
from rankhammer.errors import ConfigError, DataError, SchemaError
from rankhammer.runs.user_errors import FAILURE, report_user_errors, user_error

TABLE = pa.table({"query": ["lamp", "chair"], "n": [1, 2]})
TEXT = "query,n\n" + "".join(f"lamp {n},{n}\n" for n in range(3000))


def parquet() -> bytes:
    buffer = io.BytesIO()
    pq.write_table(TABLE, buffer)
    return buffer.getvalue()


def orc_file() -> bytes:
    buffer = io.BytesIO()
    orc.write_table(TABLE, buffer)
    return buffer.getvalue()


def zstd() -> bytes:
    return pa.compress(TEXT.encode(), "zstd", asbytes=True)


KINDS = {
    "gzip that is cut": ("a.csv.gz", gzip.compress(TEXT.encode())[:4000], "ends too early"),
    "gzip that is no gzip": ("a.csv.gz", TEXT.encode(), "not compressed as its ending .gz says; it is text"),
    "gzip that is damaged": ("a.csv.gz", gzip.compress(TEXT.encode())[:-8] + b"12345678", "damaged"),
    "bzip2 that is cut": ("a.csv.bz2", bz2.compress(TEXT.encode())[:100], "ends too early"),
    "Zstandard that is cut": ("a.csv.zst", zstd()[:60], "ends too early"),
    "gzip without its ending": ("a.csv", gzip.compress(TEXT.encode()), "is no CSV; it is gzip"),
    "snappy that ends Spark's JVM": ("a.csv.snappy", TEXT.encode(), "not compressed as its ending .snappy says"),
    "snappy that is cut": ("a.csv.snappy", bytes([0, 3, 64, 0, 0, 1, 12, 9]) + bytes(500), "ends within a block"),
    "LZ4 of another framing": ("a.csv.lz4", b"\x04\x22\x4d\x18" + bytes(90), "it is an LZ4 frame"),
    "text named Parquet": ("a.parquet", TEXT.encode(), "is no Parquet file; it is text"),
    "Parquet that is cut": ("a.parquet", parquet()[:-100], "is a Parquet file without its end"),
    "Parquet that is damaged": ("a.parquet", parquet()[:30] + b"\xff" * 60 + parquet()[90:], "damaged"),
    "Parquet of zero bytes": ("a.parquet", b"", "it is empty"),
    "ORC named Parquet": ("a.parquet", orc_file(), "it is ORC"),
    "Avro named Parquet": ("a.parquet", b"Obj\x01" + b"x" * 90, "it is Avro"),
    "Parquet as CSV": ("a.csv", parquet(), "is no CSV; it is Parquet"),
    "Parquet as ORC": ("a.orc", parquet(), "is no ORC file; it is Parquet"),
    "a list over several lines": ("a.json", json.dumps([{"n": 1}] * 9, indent=1).encode(), "are no JSON objects"),
    "binary": ("a.json", bytes(range(1, 256)) + bytes(9), "has zero bytes"),
    "UTF-16": ("a.csv", TEXT.encode("utf-16"), "is no CSV; it is UTF-16 text"),
    "UTF-16 without a mark": ("a.csv", TEXT.encode("utf-16-le"), "has zero bytes"),
    "a spreadsheet": ("a.csv", b"PK\x03\x04" + bytes(90), "a spreadsheet"),
    "no line at all": ("a.csv", b"", "is empty"),
    "a colon in the name": ("a-10:00.csv", TEXT.encode(), "colon"),
}
FORMATS = {"csv", "json", "parquet", "orc"}


def read(path, file_format: str, **load_args) -> None:
    dataset = InputDataset(filepath=str(path), file_format=file_format, load_args={"header": True} | load_args)
    dataset.require_found()
    dataset.load().collect()


def refusal(*arguments, **load_args):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Spark's or ours: what is told is looked at
        read(*arguments, **load_args)
    error = user_error(caught.value)
    assert error is not None, caught.value
    assert error.hint
    return error


@pytest.mark.parametrize("kind", KINDS)
def test_a_faulty_file_is_named_with_what_is_wrong(spark, tmp_path, kind):
    name, content, message = KINDS[kind]
    (tmp_path / name).write_bytes(content)
    file_format = next(part for part in name.split(".") if part in FORMATS)
    error = refusal(tmp_path, file_format)
    assert f"{tmp_path}/{name}" in error.message
    assert message in error.message


def test_folders_without_files_that_spark_reads_are_refused(tmp_path):
    assert "has no files" in refusal(tmp_path, "csv").message
    (tmp_path / "_log.csv").write_text(TEXT)
    assert "begin with _ or a dot" in refusal(tmp_path, "csv").message


def test_a_link_to_nothing_is_refused(tmp_path):
    (tmp_path / "b.csv").write_text(TEXT)
    (tmp_path / "a.csv").symlink_to(tmp_path / "gone.csv")
    assert f"{tmp_path}/a.csv is a link to" in refusal(tmp_path, "csv").message


@pytest.mark.parametrize(
    ("file_format", "load_args", "message"),
    [
        ("parqet", {}, "Spark knows no format 'parqet'"),
        ("delta", {}, "Spark knows no format 'delta'"),
        ("csv", {"encoding": "latin-99"}, "knows no encoding 'latin-99'"),
        ("csv", {"ignoreLeadingWhiteSpace": "yes"}, "ignoreLeadingWhiteSpace flag can be true or false"),
        ("csv", {"quote": "ab"}, "quote cannot be more than one character"),
        ("csv", {"sep": ""}, "Delimiter cannot be empty"),
        ("csv", {"compression": "nosuch"}, "The codec nosuch is not available"),
    ],
)
def test_an_option_that_spark_refuses_is_told_with_the_input(spark, tmp_path, file_format, load_args, message):
    (tmp_path / "a.csv").write_text(TEXT)
    error = refusal(tmp_path, file_format, **load_args)
    assert isinstance(error, ConfigError)
    assert str(tmp_path) in error.message
    assert message in error.message


def test_what_nobody_foresaw_is_one_line_and_a_file_with_the_trace(spark, capfd):
    def act() -> None:
        spark.sql("select raise_error('a failure of the cluster')").collect()

    assert report_user_errors(act) == FAILURE
    printed = capfd.readouterr().err
    assert len(printed.strip().splitlines()) == 2
    assert "a failure of the cluster" in printed
    assert "py4j" not in printed
    with open(printed.rpartition("is in ")[2].strip(), encoding="utf-8") as trace:
        assert "Traceback" in trace.read()


def test_a_connection_that_ends_within_a_cluster_is_no_fault_of_a_file():
    from pyspark.errors import PySparkException

    assert user_error(PySparkException("Job aborted: java.io.EOFException: Unexpected end of input stream")) is None


def test_an_error_of_ours_that_a_worker_raised_is_still_found():
    assert isinstance(user_error(RuntimeError("x\nrankhammer.errors.DataError: no rows\nHint: look")), DataError)


def test_an_error_that_is_its_own_cause_is_looked_at_once():
    first, second = ValueError("first"), DataError("no rows", hint="look")
    first.__cause__, second.__context__ = second, first
    assert user_error(first) is second
    second.__cause__ = first
    first.__cause__ = ValueError("another")
    first.__cause__.__cause__ = first
    assert user_error(first) is None


def test_a_column_may_have_any_name(spark, tmp_path):
    (tmp_path / "a.json").write_text('{"a `b` c": 1, "query": "lamp"}\n{"a `b` c": 2}\n')
    table = LogDataset(filepath=str(tmp_path), file_format="json").load()
    assert sorted(row["a `b` c"] for row in table.collect()) == [1, 2]


def test_a_file_that_a_decoder_gives_up_is_named():
    from pyspark.errors import PySparkException

    message = (
        "[FAILED_READ_FILE.NO_HINT] Encountered error while reading file file:///logs/clicks.parquet. SQLSTATE: KD001\n"
        "Caused by: org.apache.spark.SparkUnsupportedOperationException: RLE encoding is not supported for BINARY"
    )
    error = user_error(PySparkException(message))
    assert isinstance(error, DataError)
    assert "/logs/clicks.parquet cannot be decoded" in error.message


def test_a_type_that_spark_does_not_read_is_named():
    from pyspark.errors import PySparkException

    error = user_error(PySparkException("[UNSUPPORTED_TIME_TYPE] The data type TIME is not supported. SQLSTATE: 0A000"))
    assert isinstance(error, SchemaError)
    assert "times of day" in error.message
