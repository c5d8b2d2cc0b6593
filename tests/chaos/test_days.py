"""The raw log on a real HDFS, a folder a day: each day is ingested once, on YARN."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from datetime import date, datetime, timedelta

import hadoop_cluster
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

pytestmark = pytest.mark.chaos

N_DAYS = 30
FIRST = date(2026, 1, 1)
TARGET = "/logs/search/by_day"
PARAMS = "--params=ingestion.sessions.max_late_days=0"


@pytest.fixture
def days(site, tmp_path):
    """The demo's log, its sessions dealt out to thirty days; returns how to put a day on HDFS."""
    rows = pq.read_table(site.folder / "demo" / "click_log").drop_columns(
        [name for name in ("user_id", "address") if name in pq.read_schema(_file(site)).names]
    )
    by_day = defaultdict(list)
    numbers: dict[str, int] = {}
    for row in rows.to_pylist():
        number = numbers.setdefault(row["session_id"] or row["serp_id"], len(numbers)) % N_DAYS
        clock = (row["shown_at"] or datetime(2026, 1, 1)).timetz()  # noqa: DTZ001 - only its clock is used
        by_day[number].append({**row, "shown_at": datetime.combine(FIRST + timedelta(days=number), clock)})
    hadoop_cluster.make_folder(site.hadoop, TARGET)

    def put(number: int) -> None:
        folder = tmp_path / f"date={FIRST + timedelta(days=number)}"
        folder.mkdir()
        pq.write_table(pa.Table.from_pylist(by_day[number], rows.schema), folder / "log.parquet")
        hadoop_cluster.put(site.hadoop, folder, f"{TARGET}/{folder.name}")

    return put, len({row["serp_id"] for rows_of in by_day.values() for row in rows_of})


def _file(site):
    return next((site.folder / "demo" / "click_log").glob("*.parquet"))


@pytest.fixture
def daily(site):
    file = site.project / "conf" / "prod" / "globals.yml"
    before = file.read_text()
    values = yaml.safe_load(before)
    values["click_log"] = {**values.get("click_log", {}), "path": f"hdfs://{TARGET}/date={{date}}"}
    file.write_text(json.dumps(values))
    yield
    file.write_text(before)


@pytest.mark.limit(1500)
def test_a_log_in_thirty_days_on_hdfs_is_ingested_once_and_a_new_day_by_itself(site, days, daily):
    put, n_pages = days
    for number in range(N_DAYS - 1):
        put(number)
    first = site.kedro("run", "--pipelines=ingestion,labeling", PARAMS)
    assert "Days of the click log: 29 from 2026-01-01 to 2026-01-29; 29 ingested by this run" in first
    put(N_DAYS - 1)
    second = site.kedro("run", "--pipelines=ingestion,labeling", PARAMS)
    assert "Days of the click log: 30 from 2026-01-01 to 2026-01-30; 1 ingested by this run" in second
    run = re.search(r"/runs/([^/]+)/", second[second.index("Facts:") :])[1]
    found = site.start("rankhammer", "handoffs", "--env=prod", "--json", f"--run={run}").end()
    tables = {one["name"]: one for one in json.loads(found[found.index("[") :])}
    left_out = sum(map(int, re.findall(r"(\d+) of \d+ result pages", second)))
    assert tables["serps"]["rows"] == n_pages - left_out
