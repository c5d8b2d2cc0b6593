"""A log in a folder a day: one day after the other, and all at once, give the same."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from rankhammer import click_models, credentials
from rankhammer.click_models.counts.pattern_counts import merge_shares
from rankhammer.datasets import DayStoreDataset, LogDataset
from rankhammer.errors import ConfigError, DataError
from rankhammer.pipelines.ingestion.nodes import ingest
from rankhammer.pipelines.ingestion.params import IngestionParams
from rankhammer.pipelines.labeling.nodes import count_serps
from rankhammer.schemas import SERPS

CONF = Path(__file__).parents[3] / "conf" / "base" / "parameters" / "ingestion.yml"
FIRST = date(2024, 5, 1)


@pytest.fixture(autouse=True, scope="module")
def _salt():
    credentials.configure(lambda: {"visitors": {"api_key": "0123456789abcdef"}})
    yield
    credentials.configure(dict)


def params(**changes):
    values = yaml.safe_load(CONF.read_text())["ingestion"]
    reader = {"name": "impressions", "options": {}}
    return IngestionParams.model_validate(
        values | {"reader": reader, "salt": "visitors", "max_bad_share": 0.5} | changes
    )


def impression(page, shown_at, user, query, doc, position, clicked):
    return {
        "corpus": "shop" if user != "u3" else "blog",
        "serp_id": page, "shown_at": shown_at.isoformat(), "user_id": user, "query": query,
        "doc_id": doc, "position": str(position), "clicked": clicked,
    }  # fmt: skip


def pages_of(day, n=6):
    """Some searches of a day, one of them over midnight."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    for number in range(n):
        user = f"u{number % 4}"
        shown = start + timedelta(hours=23, minutes=50) if number == 0 else start + timedelta(minutes=4 * number)
        query = ("lamp", "lamps", "chair")[number % 3]
        for position, doc in enumerate("abc", start=1):
            yield impression(f"{day}-{number}", shown, user, query, doc, position, doc == "abc"[number % 3])


def write_day(root, day, rows):
    folder = root / f"dt={day.isoformat()}"
    folder.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "log.parquet")


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Three days: a page of the first came on the second, one came much too late, one has no time, one came twice."""
    root = tmp_path_factory.mktemp("days") / "log"
    days = [FIRST + timedelta(days=n) for n in range(3)]
    late = impression("late", datetime(2024, 5, 1, 12, tzinfo=UTC), "u1", "lamp", "a", 1, clicked=True)
    too_late = impression("too late", datetime(2024, 4, 20, 12, tzinfo=UTC), "u1", "lamp", "a", 1, clicked=True)
    no_time = impression("no time", datetime(2024, 5, 1, tzinfo=UTC), "u1", "lamp", "a", 1, clicked=True) | {
        "shown_at": None
    }
    bad = impression("bad", datetime(2024, 5, 3, 12, tzinfo=UTC), "u1", "lamp", "a", 0, clicked=True)
    again = list(pages_of(days[0]))[3:6]
    more = [[], [late, too_late], [no_time, bad, *again]]
    for day, extra in zip(days, more, strict=True):
        write_day(root, day, [*pages_of(day), *extra])
    return root


def run(log, store, **changes):
    """Ingest as the stage does, and count as labeling does."""
    dataset = LogDataset(filepath=f"{log}/dt={{date}}")
    days = DayStoreDataset(filepath=str(store)).load()
    serps, aside, failures, counts, summary = ingest(dataset.load(), params(**changes), "english", None, days)
    assert failures == []
    counted = count_serps(serps, summary, days, "clusters").orderBy("corpus", "query_cluster_id").collect()
    return {
        "serps": sorted(SERPS.check(serps).collect(), key=lambda row: (row.corpus, row.serp_id)),
        "aside": sorted((row.serp_id, row.reason) for row in aside.collect()),
        "counts": json.loads(json.dumps(counts, sort_keys=True)),
        "counted": counted,
        "n_ingested": summary["n_ingested"],
        "recounted": click_models.count_serps(serps).orderBy("corpus", "query_cluster_id").collect(),
    }


@pytest.fixture(scope="module")
def done(spark, _salt, log):
    """A store of all days, and what came of ingesting them at once. Copy the store before changing it."""
    store = log.with_name("store")
    return store, run(log, store)


@pytest.fixture
def store(done, tmp_path):
    return Path(shutil.copytree(done[0], tmp_path / "store"))


@pytest.fixture
def at_once(done):
    return dict(done[1])


def test_a_day_after_the_others_gives_the_bytes_of_all_days_at_once(at_once, log, tmp_path):
    log = Path(shutil.copytree(log, tmp_path / "log"))
    last = log / f"dt={FIRST + timedelta(days=2)}"
    hidden = tmp_path / "hidden"
    last.rename(hidden)
    before = run(log, tmp_path / "one by one")
    hidden.rename(last)
    after = run(log, tmp_path / "one by one")
    # The second day may have pages in the folder of the third; nothing of the first one is read again.
    assert (at_once.pop("n_ingested"), before["n_ingested"], after.pop("n_ingested")) == (3, 2, 2)
    assert after == at_once
    assert after["counted"] == after["recounted"]
    ids = [row.serp_id for row in after["serps"]]
    assert len(ids) == len(set(ids)) == 3 * 6 + 2
    copy = ("2024-05-01-1", "too_late")
    assert after["aside"] == [copy, ("bad", "bad_position"), ("too late", "too_late")]
    shop = after["counts"]["shop"]
    assert (shop["n_read"], shop["n_serps"]) == (3 * 5 + 4 + 1, 3 * 5 + 2)
    assert shop["set_aside"] == {"bad_position": 1, "too_late": 1 + 1}
    assert shop["sessions"]["late pages"] == 1 + 1 + 1
    by_id = {row.serp_id: row for row in after["serps"]}
    # Ten minutes before midnight, and 16 behind it: one session of one visitor, on two days.
    assert by_id["2024-05-01-0"].session_id == by_id["2024-05-02-4"].session_id
    assert by_id["2024-05-02-0"].session_id != by_id["2024-05-02-4"].session_id
    again = run(log, tmp_path / "one by one")
    assert again["n_ingested"] == 0
    assert again["counted"] == at_once["counted"]


def test_days_leave_a_range_is_chosen_and_a_setting_of_all_days_makes_none_again(at_once, log, store):
    assert at_once["n_ingested"] == 3
    kept = run(log, store, days={"keep": 1}, min_sessions=2)
    assert kept["n_ingested"] == 0
    assert {row.shown_at.day for row in kept["serps"] if row.shown_at} == {3}
    assert [path.name for path in sorted(store.iterdir())] == ["day=2024-05-03"]
    one = run(log, store, days={"first": "2024-05-02", "last": "2024-05-02"}, min_sessions=2)
    assert one["n_ingested"] == 1
    assert {row.shown_at.day for row in one["serps"]} == {2}


def test_what_cannot_go_by_days_is_refused(spark, log, tmp_path):
    with pytest.raises(DataError, match="No day of the click log is in the range"):
        run(log, tmp_path / "days", days={"first": "2025-01-01"})
    with pytest.raises(ConfigError, match="no salt is set"):
        run(log, tmp_path / "days", salt=None)
    assert not list((tmp_path / "days").glob("*/_fingerprint.json"))
    table = LogDataset(filepath=f"{log}/dt=2024-05-01").load()
    with pytest.raises(ConfigError, match="is of a log in a folder a day"):
        ingest(table, params(days={"keep": 3}), "english", None)


def test_a_half_written_day_is_ingested_again(at_once, log, store):
    (store / "day=2024-05-02" / "_fingerprint.json").unlink()
    next((store / "day=2024-05-03" / "pages").glob("*.parquet")).unlink()
    again = run(log, store)
    assert (again.pop("n_ingested"), at_once.pop("n_ingested")) == (2, 3)
    assert again == at_once


def test_counts_of_parts_add_up_to_those_of_the_whole(spark, at_once):
    serps = spark.createDataFrame(at_once["serps"], ", ".join(map(" ".join, SERPS.columns.items())))
    parts = [serps.where("hash(serp_id) % 3 = 0"), serps.where("hash(serp_id) % 3 <> 0")]
    shares = click_models.count_shares(parts[0]).union(click_models.count_shares(parts[1]))
    order = ["corpus", "query_cluster_id"]
    assert merge_shares(shares).orderBy(*order).collect() == click_models.count_serps(serps).orderBy(*order).collect()
