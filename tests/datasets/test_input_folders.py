"""Files of one input folder that differ are read by the names of their columns, or refused with a file's name."""

from __future__ import annotations

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from rankhammer.datasets import InputDataset, LogDataset
from rankhammer.errors import DataError, RankhammerError, SchemaError
from rankhammer.runs.user_errors import user_error

CSV = {"file_format": "csv", "load_args": {"header": True}}


def folder(tmp_path, **files: str | bytes):
    for name, content in files.items():
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(tmp_path / "in")


def rows(path: str, kind: type[InputDataset] = InputDataset, **options) -> list[dict[str, object]]:
    dataset = kind(filepath=path, **(options or CSV))
    dataset.require_found()
    return sorted((row.asDict() for row in dataset.load().collect()), key=str)


def refused(path: str, **options) -> RankhammerError:
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Spark's or ours: what is told is looked at
        rows(path, **options)
    error = user_error(caught.value)
    assert error is not None, caught.value
    assert error.hint
    return error


def test_csv_columns_in_another_order_are_read_by_name(spark, tmp_path):
    path = folder(tmp_path, **{"a.csv": "id,query,user\n1,lamp,u\n", "b.csv": "user,ID,query\nv,2,chair\n"})
    assert rows(path) == [
        {"id": "1", "query": "lamp", "user": "u"},
        {"id": "2", "query": "chair", "user": "v"},
    ]


def test_a_csv_column_that_comes_later_is_null_before(spark, tmp_path):
    path = folder(tmp_path, **{"day=1/a.csv": "id\n1\n", "day=2/b.csv": "id,corpus\n2,fr\n"})
    assert rows(path) == [
        {"id": "1", "corpus": None, "day": "1"},
        {"id": "2", "corpus": "fr", "day": "2"},
    ]


def test_types_of_csv_columns_are_not_inferred(spark, tmp_path):
    path = folder(tmp_path, **{"a.csv": "id,n\n007,1\n", "b.csv": "n,id\n2.5,x7\n"})
    options = {"file_format": "csv", "load_args": {"header": True, "inferSchema": True}}
    assert rows(path, **options) == [{"id": "007", "n": "1"}, {"id": "x7", "n": "2.5"}]


def test_a_header_that_is_not_looked_at_is_refused_by_spark_with_the_files_name(spark, tmp_path, monkeypatch):
    monkeypatch.setattr("rankhammer.datasets.file_checks.MAX_FILES", 1)
    path = folder(tmp_path, **{"a.csv": "id,query\n1,lamp\n", "b.csv": "query,id\nchair,2\n"})
    message = refused(path).message
    assert "b.csv has the header (query, id)" in message or "a.csv has the header (id, query)" in message
    path = folder(tmp_path, **{"b.csv": "id,query,corpus\n2,chair,fr\n"})
    assert "has another number of columns" in refused(path).message


def test_parquet_files_with_other_columns_are_read_by_name(spark, tmp_path):
    path = folder(tmp_path)
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"id": [1]}), f"{path}/a.parquet")
    pq.write_table(pa.table({"corpus": ["fr"], "ID": [2]}), f"{path}/b.parquet")
    assert rows(path, file_format="parquet") == [{"id": 1, "corpus": None}, {"id": 2, "corpus": "fr"}]


def test_types_that_differ_between_parquet_files_name_the_column_and_both_files(spark, tmp_path):
    path = folder(tmp_path)
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"id": [1]}), f"{path}/a.parquet")
    pq.write_table(pa.table({"id": ["x"]}), f"{path}/b.parquet")
    message = refused(path, file_format="parquet").message
    assert "'id' is bigint in" in message
    assert "a.parquet and string in" in message
    assert "b.parquet" in message


@pytest.mark.parametrize(
    ("name", "content", "file_format"),
    [("a.csv", "id,query,ID\n1,x,2\n", "csv"), ("a.json", '{"id": 1, "Id": 2}\n', "json")],
)
def test_a_column_that_is_there_twice_is_refused_whatever_its_case(spark, tmp_path, name, content, file_format):
    error = refused(folder(tmp_path, **{name: content}), file_format=file_format, load_args={"header": True})
    assert isinstance(error, SchemaError)
    assert "more than once" in error.message


def test_a_column_that_is_renamed_to_one_that_is_there_is_refused_with_a_cure(spark, tmp_path):
    path = folder(tmp_path, **{"a.csv": "Id,sku\n1,2\n"})
    error = refused(path, **CSV, columns={"id": "sku"})
    assert "there is a column 'Id', too" in error.message
    assert rows(path, **CSV, columns={"id": "sku", "original_Id": "Id"}) == [{"id": "2", "original_Id": "1"}]


def test_another_encoding_is_refused_by_the_share_of_lines_that_it_would_spoil(spark, tmp_path):
    text = "id,query\n" + "1,lamp\n" * 50 + "2,lämp\n"
    for name, content in (("a.csv", text.encode("latin-1")), ("a.csv.gz", gzip.compress(text.encode("latin-1")))):
        error = refused(folder(tmp_path / name, **{name: content}))
        assert "1 of 52 lines" in error.message
        assert "encoding" in error.hint
    path = folder(tmp_path, **{"a.csv": text.encode("latin-1")})
    read = rows(path, file_format="csv", load_args={"header": True, "encoding": "ISO-8859-1"})
    assert read[-1] == {"id": "2", "query": "lämp"}


def test_text_of_which_one_line_in_a_thousand_is_broken_is_read(spark, tmp_path):
    content = b"id,query\n" + b"1,lamp\n" * 2000 + b"2,l\xe4mp\n"
    assert len(rows(folder(tmp_path, **{"a.csv": content}))) == 2001


def test_utf_8_that_is_read_as_something_else_is_refused(spark, tmp_path):
    path = folder(tmp_path, **{"a.csv": "id\nä\n"})
    error = refused(path, file_format="csv", load_args={"header": True, "encoding": "ISO-8859-1"})
    assert "is UTF-8, but load_args says encoding: ISO-8859-1" in error.message


def test_line_ends_in_quoted_texts_are_refused_or_read_with_multi_line(spark, tmp_path):
    path = folder(tmp_path, **{"a.csv": 'id,body\n1,"one\ntwo"\n2,three\n'})
    error = refused(path)
    assert "2 of its first 4 lines do not have the 2 cells" in error.message
    assert "multiLine: true" in error.hint
    read = rows(path, file_format="csv", load_args={"header": True, "multiLine": True})
    assert read == [{"id": "1", "body": "one\ntwo"}, {"id": "2", "body": "three"}]


@pytest.mark.parametrize("odd", ["9,lamp,more", "9", '9,"two\nthree"'])
def test_one_line_of_other_cells_ends_the_read_or_comes_as_nulls_that_are_counted(spark, tmp_path, odd):
    path = folder(tmp_path, **{"a.csv": "id,query\n" + "1,lamp\n" * 200 + f"{odd}\n"})
    error = refused(path)
    assert isinstance(error, DataError)
    assert "a.csv" in error.message
    assert odd.rpartition("\n")[2] in error.message
    read = rows(path, LogDataset, **CSV)
    assert sum(row == {"id": None, "query": None} for row in read) == 1
    dropped = rows(path, file_format="csv", load_args={"header": True, "mode": "DROPMALFORMED"})
    assert len(dropped) == 200 + odd.count("\n")


def test_json_that_is_broken_in_one_line_is_refused_with_the_line(spark, tmp_path):
    path = folder(tmp_path, **{"a.json": '{"id": 1}\n' * 40 + '{"id": \n'})
    assert '{"id":' in refused(path, file_format="json").message
    assert len(rows(path, LogDataset, file_format="json")) == 41


def test_a_csv_file_without_its_header_is_refused(spark, tmp_path):
    path = folder(tmp_path, **{"a.csv": "id,query\n1,lamp\n", "b.csv": "2,chair\n3,rug\n"})
    message = refused(path).message
    assert "b.csv begins with (2, chair)" in message
    assert "(id, query) in" in message


def test_files_in_folders_of_a_folder_are_refused_or_read_never_left_out(spark, tmp_path):
    path = folder(tmp_path, **{"a.csv": "id\n1\n", "more/b.csv": "id\n2\n"})
    assert "more/b.csv is in a folder" in refused(path).message
    read = rows(path, file_format="csv", load_args={"header": True, "recursiveFileLookup": True})
    assert read == [{"id": "1"}, {"id": "2"}]


def test_a_filter_of_names_chooses_the_files_that_are_looked_at(spark, tmp_path):
    path = folder(tmp_path, **{"a.csv": "id\n1\n", "notes.txt": b"\0\0"})
    assert rows(path, file_format="csv", load_args={"header": True, "pathGlobFilter": "*.csv"}) == [{"id": "1"}]


def test_doubled_quotes_stand_for_one_and_so_do_those_behind_a_backslash(spark, tmp_path):
    texts = ['tv "42", black', 'tv 42"', '"tv"', "tv"]
    doubled = "id,text\n" + "".join(f'{n},"{text.replace(chr(34), 2 * chr(34))}"\n' for n, text in enumerate(texts))
    escaped = "id,text\n" + "".join(
        f'{n},"{text.replace(chr(34), chr(92) + chr(34))}"\n' for n, text in enumerate(texts)
    )
    for name, content in {"doubled": doubled, "escaped": escaped}.items():
        assert [row["text"] for row in rows(folder(tmp_path / name, **{"a.csv": content}))] == texts, name
    options = {"file_format": "csv", "load_args": {"header": True, "escape": '"'}}
    assert [row["text"] for row in rows(str(tmp_path / "doubled" / "in"), **options)] == texts


def test_each_line_behind_a_quote_that_is_never_closed_is_counted(spark, tmp_path):
    lines = [f"{n},lamp" for n in range(100)]
    path = folder(tmp_path, **{"a.csv": "\n".join(["id,query", *lines[:50], '"50,tv 42', *lines[51:]])})
    options = {"file_format": "csv", "load_args": {"header": True, "multiLine": True}}
    found = rows(path, LogDataset, **options)
    assert len(found) == 100
    assert sum(row["id"] is None for row in found) == 50


def test_a_file_of_json_over_several_lines_that_is_cut_is_refused(spark, tmp_path):
    path = folder(tmp_path, **{"a.json": '[{"id": "1"},\n{"id": "2"}]', "b.json": '[{"id": "3"},\n{"id": '})
    options = {"file_format": "json", "load_args": {"multiLine": True}}
    with pytest.raises(Exception) as caught:  # noqa: PT011 - Spark's, that holds ours
        rows(path, LogDataset, **options)
    assert "b.json" in str(user_error(caught.value))


def test_a_type_that_spark_does_not_read_is_told_with_the_input(spark, tmp_path):
    path = folder(tmp_path)
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"id": ["1"], "at": pa.array([1], pa.time64("us"))}), tmp_path / "in" / "a.parquet")
    error = refused(path, file_format="parquet", load_args={})
    assert isinstance(error, SchemaError)
    assert "TIME" in error.message
    assert path in error.message


OVER_LINES = {"file_format": "csv", "load_args": {"header": True, "multiLine": True}}


@pytest.mark.parametrize(
    ("end", "n_swallowed"),
    [
        ('2,"open\n3,y\n4,z\n', 3),
        ('2,"open\r\n3,y', 2),
        ('2,"op""en\n3,y\n', 2),
        ('2,"""op"" en\n3,6" pipe\n', 2),
        ('2,"open\n3,y\n4,"z q\n', 3),
        ('2,"cl\nosed"\n', 0),
        ('2,"closed" \t\r\n3,y\n', 0),
        ('2,6" pipe\n3,y\n', 0),
        ('2,""\n', 0),
        ('2,"say ""no"",\nor"\n', 0),
        ('2,"""quoted"" text\nof ""two"" lines"\n', 0),
        ('2,"C:\\"\n3,y\n', 0),
        ('2,"a,"\n', 0),
        ('2,"end"\n3,"same\nend"\n', 0),
    ],
)
def test_lines_that_a_quote_takes_along_are_faulty_rows(spark, tmp_path, end, n_swallowed):
    path = folder(tmp_path, **{"a.csv": f'a,b\n0,"f""i"\n{end}'})
    read = rows(path, kind=LogDataset, **OVER_LINES)
    assert sum(row["a"] is None for row in read) == n_swallowed
    assert {"a": "0", "b": 'f"i'} in read
    assert not any(row["b"] and "3,y" in row["b"] for row in read)


def test_a_document_with_a_quote_that_is_never_closed_ends_the_run(spark, tmp_path):
    path = folder(tmp_path, **{"a.csv": 'a,b\n1,x\n2,"open\n3,y\n'})
    assert "has a quote that is not closed" in refused(path, **OVER_LINES).message


@pytest.mark.parametrize("kind", [InputDataset, LogDataset])
@pytest.mark.parametrize(
    ("file_format", "load_args"),
    [
        ("csv", {"header": True}),
        ("csv", {"header": True, "multiLine": True}),
        ("json", {}),
        ("json", {"multiLine": True}),
    ],
)
def test_an_input_can_be_counted_though_no_column_of_it_is_asked_for(spark, tmp_path, kind, file_format, load_args):
    """Spark refuses to read nothing but what does not parse."""
    texts = {"csv": "a,b\n1,x\n2,y\n", "json": '[{"a": {"c": 1}, "b": "x"}, {"b": "y"}]'}
    path = folder(tmp_path, **{f"one.{file_format}": texts[file_format]})
    assert kind(filepath=path, file_format=file_format, load_args=load_args).load().count() == 2


@pytest.mark.parametrize(
    "files",
    [{"a.json": '{"id": "1"}\n', "b.json": '{"ID": "2"}\n'}, {"a.json": '{"x": 1, "id": "1"}\n{"Id": "2"}\n'}],
)
def test_keys_of_json_that_differ_in_case_only_are_refused_with_the_file(tmp_path, files):
    """Spark takes the first spelling for the column, and makes null of the other."""
    path = folder(tmp_path, **files)
    with pytest.raises(SchemaError, match=r"has the key 'I[Dd]', and records before have 'id'") as caught:
        InputDataset(filepath=path, file_format="json").require_found()
    assert list(files)[-1] in caught.value.message


def test_keys_within_a_value_and_broken_lines_are_not_compared(tmp_path):
    path = folder(
        tmp_path, **{"a.json": '{"id": {"a": 1, "A": 2}}\n' * 30 + '{"id": {\n', "b.json": '{"id": 1, "x": 2}\n'}
    )
    InputDataset(filepath=path, file_format="json").require_found()
