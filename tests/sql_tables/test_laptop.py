"""SQL over Parquet files on a laptop: what is read, what is refused, and that nothing else can be opened."""

from __future__ import annotations

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

pytest.importorskip("duckdb")

from rankhammer.errors import ConfigError, DataError, SchemaError
from rankhammer.sql_tables.column_types import DUCKDB, HIVE, columns
from rankhammer.sql_tables.laptop import ParquetTable, ask, describe, mentions

SCHEMA = {
    "type": "struct",
    "fields": [
        {"name": "corpus", "type": "string"},
        {"name": "order", "type": "long"},
        {"name": "doc_ids", "type": {"type": "array", "elementType": "string"}},
        {"name": "shown_at", "type": "timestamp"},
        {
            "name": "features",
            "type": {
                "type": "struct",
                "fields": [{"name": "title bm25", "type": "float"}, {"name": "n", "type": "byte"}],
            },
        },
        {"name": "weights", "type": {"type": "map", "keyType": "string", "valueType": "double"}},
        {"name": "price", "type": "decimal(10,2)"},
    ],
}
BYTES = json.dumps(SCHEMA).encode()


@pytest.fixture
def rows(tmp_path) -> ParquetTable:
    """Two rows in two folders of a partition, one of which has a sign that paths escape."""
    for corpus, place, order in (("de", "corpus=de", 1), ("a/b", "corpus=a%2Fb", 2)):
        (tmp_path / place).mkdir()
        parquet.write_table(pa.table({"order": [order]}), tmp_path / place / "it's.parquet")
        assert corpus
    schema = {"fields": SCHEMA["fields"][:2]}
    files = tuple(sorted(map(str, tmp_path.rglob("*.parquet"))))
    return ParquetTable(files, json.dumps(schema).encode(), has_partitions=True)


def test_a_table_is_read_by_its_name_with_the_columns_of_its_folders(rows):
    found = ask('SELECT corpus, "order" FROM pages ORDER BY "order"', {"pages": rows})
    assert found.columns == ["corpus", "order"]
    assert list(found.rows) == [("de", 1), ("a/b", 2)]


def test_a_table_without_rows_has_its_columns():
    found = describe(ParquetTable((), BYTES))
    assert found["shown_at"] == "timestamp with time zone"
    assert found["features"] == 'struct("title bm25" float, n tinyint)'
    assert list(ask("SELECT count(*) FROM it", {"it": ParquetTable((), BYTES)}).rows) == [(0,)]


@pytest.mark.parametrize(
    "statement",
    ["SELEC 1", "SELECT nothing FROM pages", "SELECT * FROM page", "", "SELECT 1; SELECT 2", "DROP VIEW pages"],
)
def test_a_wrong_statement_is_refused_with_the_tables_that_there_are(rows, statement):
    with pytest.raises(ConfigError) as refused:
        list(ask(statement, {"pages": rows}, known=["pages", "judgments"]).rows)
    assert "Tables: pages, judgments" in refused.value.hint


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "COPY (SELECT 1) TO '/tmp/never.csv'",
        "ATTACH '/tmp/never.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
        "SELECT * FROM glob('/etc/*')",
    ],
)
def test_nothing_but_the_tables_is_opened(rows, statement):
    with pytest.raises((ConfigError, DataError)):
        list(ask(statement, {"pages": rows}).rows)


def test_a_damaged_file_is_an_error_of_the_data(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"not parquet at all")
    with pytest.raises(DataError, match="cannot be read"):
        list(ask("SELECT * FROM pages", {"pages": ParquetTable((str(tmp_path / "x.parquet"),))}).rows)


def test_types_are_written_as_each_engine_reads_them():
    with pytest.raises(SchemaError, match="title bm25"):
        columns(BYTES, HIVE)
    assert columns(BYTES.replace(b"title bm25", b"title_bm25"), HIVE) == {
        "corpus": "string",
        "order": "bigint",
        "doc_ids": "array<string>",
        "shown_at": "timestamp",
        "features": "struct<title_bm25:float,n:tinyint>",
        "weights": "map<string,double>",
        "price": "decimal(10,2)",
    }
    assert columns(BYTES, DUCKDB)["weights"] == "map(varchar, double)"
    with pytest.raises(SchemaError, match="interval"):
        columns(json.dumps({"fields": [{"name": "a", "type": "interval"}]}).encode(), HIVE)
    with pytest.raises(SchemaError):
        columns(b"{", HIVE)


def test_tables_are_found_by_whole_words_of_the_statement():
    assert mentions("select * from Serps join x.judgments", ["serps", "judgment", "judgments"]) == [
        "serps",
        "judgments",
    ]
