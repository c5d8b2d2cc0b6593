from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError

from rankhammer.datasets import LogDataset
from rankhammer.datasets.daily_log import DayTemplate
from rankhammer.errors import ConfigError, SchemaError


@pytest.mark.parametrize(
    ("path", "root", "day"),
    [
        ("/log/date={date}", "/log/date=2024-05-01", date(2024, 5, 1)),
        ("log/{date}/eu", "/home/somebody/log/2024-05-01/eu", date(2024, 5, 1)),
        ("hdfs://nn/log/{date:%Y/%m/%d}", "hdfs://nn/log/2024/05/01", date(2024, 5, 1)),
        ("s3a://b/log/{date:year=%Y/month=%m/day=%d}/", "s3a://b/log/year=2024/month=05/day=01", date(2024, 5, 1)),
        ("/log/*-{date:%Y%m%d}.csv", "/log/web-20240501.csv", date(2024, 5, 1)),
        ("/log/date={date}", "/log/date=2024-02-30", None),
    ],
)
def test_a_folder_tells_its_day(path, root, day):
    assert DayTemplate(path).day_of(root) == day


def test_all_days_are_found_by_one_pattern():
    assert DayTemplate("/l/{date:%Y/%m/%d}/x").pattern == "/l/[0-9][0-9][0-9][0-9]/[0-9][0-9]/[0-9][0-9]/x"


@pytest.mark.parametrize("path", ["/l/{date:%Y-%m}", "/l/{date}/{date}", "/l/{date:%Y-%m-%d-%H}", "/l/{date:}%"])
def test_a_place_for_a_day_that_is_none_is_refused(path):
    if path == "/l/{date:}%":
        assert DayTemplate(path).day_of("/l/2024-05-01%") == date(2024, 5, 1)
        return
    with pytest.raises(ConfigError, match="has to hold one day"):
        DayTemplate(path)


def write(folder, **columns):
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "a.parquet")


def test_days_are_read_by_themselves_and_stamped_by_their_content(spark, tmp_path):
    for day in (1, 2, 3):
        write(tmp_path / f"2024-05-0{day}", query=[f"q{day}"])
    dataset = LogDataset(filepath=f"{tmp_path}/{{date}}")
    log, first = dataset.load(), date(2024, 5, 1)
    assert log.days == [date(2024, 5, day) for day in (1, 2, 3)]
    found = log.read([first, date(2024, 5, 2), date(2024, 4, 1)], received="received_at").collect()
    assert sorted(map(tuple, found)) == [("q1", "2024-05-01T00:00:00Z"), ("q2", "2024-05-02T00:00:00Z")]
    assert log.whole().count() == 3
    before = dataset.fingerprint()
    write(tmp_path / "2024-05-04", query=["q4"])
    after = LogDataset(filepath=f"{tmp_path}/{{date}}")
    assert after.fingerprint() != before
    assert after.load().stamp(first) == log.stamp(first) != log.stamp(date(2024, 5, 2))
    assert log.stamp(date(2024, 4, 1)) == ""


def test_a_folder_of_no_day_and_types_that_differ_are_refused(spark, tmp_path):
    write(tmp_path / "2024-05-01", position=[1])
    write(tmp_path / "2024-05-02", position=["1"])
    log = LogDataset(filepath=f"{tmp_path}/{{date}}").load()
    with pytest.raises(SchemaError, match="is bigint on 2024-05-01 and string on 2024-05-02"):
        log.whole()
    write(tmp_path / "2024-13-01", position=[1])
    with pytest.raises(DatasetError, match="2024-13-01 is of no day"):
        LogDataset(filepath=f"{tmp_path}/{{date}}").load()
