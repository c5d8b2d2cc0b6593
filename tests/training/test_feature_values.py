"""Features that nothing can be learned from are found by a file's footer, or by its rows where that does not tell."""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from rankhammer.training.feature_values import FeatureRange, read_values, values_of
from rankhammer.training.matrix_table import with_zeros

VALUES = {
    "plain": [0.5, 1.0, -2.0, 3.0],
    "null": [0.5, None, 1.0, 2.0],
    "nan": [math.nan, 1.0, math.nan, 2.0],
    "infinite": [1.0, math.inf, -math.inf, 2.0],
    "infinite, nan": [math.inf, math.nan, 0.0, 1.0],
    "empty": [None] * 4,
    "no number": [math.nan] * 4,
    "constant": [7.0] * 4,
    "constant or absent": [7.0, None, 7.0, 7.0],
}
EXPECTED = {
    "plain": FeatureRange(-2.0, 3.0),
    "null": FeatureRange(0.5, 2.0, is_missing=True),
    "nan": FeatureRange(1.0, 2.0, is_missing=True),
    "infinite": FeatureRange(1.0, 2.0, 2),
    "infinite, nan": FeatureRange(0.0, 1.0, 1, is_missing=True),
    "empty": FeatureRange(is_missing=True),
    "no number": FeatureRange(is_missing=True),
    "constant": FeatureRange(7.0, 7.0),
    "constant or absent": FeatureRange(7.0, 7.0, is_missing=True),
}


@pytest.fixture(scope="module")
def written(spark, tmp_path_factory):
    """The values as Spark writes them."""
    folder = tmp_path_factory.mktemp("values")
    kind = pa.struct([(name, pa.float32()) for name in VALUES])
    rows = [{name: values[place] for name, values in VALUES.items()} for place in range(4)]
    table = pa.table({"qid": pa.array(range(4), pa.int32()), "features": pa.array(rows, kind)})
    made = spark.createDataFrame(table).coalesce(1)
    made.write.parquet(str(folder / "by spark"))
    return folder, table


def test_ranges_are_the_same_by_footers_by_rows_and_in_spark(spark, written):
    folder, _ = written
    (path,) = (folder / "by spark").glob("*.parquet")
    assert read_values([str(path)]).ranges == EXPECTED
    assert values_of(spark.read.parquet(str(path))).ranges == EXPECTED


@pytest.mark.parametrize("statistics", [True, False])
def test_infinite_values_and_ends_are_found_in_every_group_of_rows_with_statistics_and_without(written, statistics):
    folder, table = written
    paths = [str(folder / f"{statistics}-{number}.parquet") for number in range(2)]
    for path, part in zip(paths, (table.slice(0, 3), table.slice(3)), strict=True):
        pq.write_table(part, path, row_group_size=1, write_statistics=statistics)
    found = read_values(paths).ranges
    assert list(found) == list(VALUES)
    for name, expected in EXPECTED.items():
        # Arrow leaves values that are no numbers out of the ends, and says of no group that it has some.
        is_missing = found[name].is_missing if name == "nan" else expected.is_missing
        assert found[name] == FeatureRange(expected.low, expected.high, expected.n_infinite, is_missing)


def test_only_columns_whose_footer_does_not_tell_are_read(written, monkeypatch):
    folder, _ = written
    (path,) = (folder / "by spark").glob("*.parquet")
    read = []
    whole = pq.ParquetFile.iter_batches
    monkeypatch.setattr(
        pq.ParquetFile, "iter_batches", lambda self, **by: read.append(by["columns"]) or whole(self, **by)
    )
    read_values([str(path)])
    (columns,) = read
    assert {name.removeprefix("features.") for name in columns} == {"nan", "infinite", "infinite, nan", "no number"}


def test_a_corpus_with_infinite_values_is_refused_by_feature_and_count_and_others_are_warned_of(written, caplog):
    folder, _ = written
    (path,) = (folder / "by spark").glob("*.parquet")
    found = read_values([str(path)])
    failure = found.failure("shop")
    assert (failure.corpus, failure.stage) == ("shop", "training")
    assert failure.error == (
        "features have infinite values, which cannot be learned from: infinite in 2 rows, infinite, nan in 1 rows."
    )
    assert "Bound the feature" in failure.hint
    found.warn("shop")
    assert caplog.messages == [
        "Corpus shop: nothing is learned from features without any value: empty, no number",
        "Corpus shop: nothing is learned from features with one value in all rows: constant (7)",
    ]


def test_absent_values_are_0_unless_they_are_kept_and_a_document_that_is_not_there_stays_so(spark):
    rows = spark.sql(
        "SELECT 1 AS id, named_struct('a', float('nan'), 'b', CAST(NULL AS FLOAT), 'c', float('nan')) AS features "
        "UNION ALL SELECT 2, named_struct('a', 1.5F, 'b', -1F, 'c', 2F) UNION ALL SELECT 3, NULL"
    )
    found = with_zeros(rows, {"c"})
    assert found.schema["features"].dataType.simpleString() == rows.schema["features"].dataType.simpleString()
    first, second, third = (row.features for row in found.orderBy("id").collect())
    assert (first.a, first.b, math.isnan(first.c)) == (0.0, 0.0, True)
    assert tuple(second) == (1.5, -1.0, 2.0)
    assert third is None
    assert with_zeros(rows, {"a", "b", "c"}).select(F.isnan("features.a")).first()[0] is True
