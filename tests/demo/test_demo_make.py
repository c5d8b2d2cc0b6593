from __future__ import annotations

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from rankhammer.demo import SIZES, CorpusSize, make_demo
from rankhammer.errors import DataError
from rankhammer.queries import normalize_query

TINY = {"network": CorpusSize(n_intents=40, n_serps=900, n_robots=2, robot_serps=210, n_candidates=20)}
TABLES = ("documents", "click_log", "reference_judgments")
MAX_SERPS_PER_DAY = 200


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "demo"
    return make_demo(out, sizes=TINY)


@pytest.fixture(scope="module")
def tables(demo):
    return {name: pq.read_table(demo.path / name) for name in TABLES}


def _bytes(path):
    return {file.relative_to(path): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(demo, tmp_path):
    again = make_demo(tmp_path / "again", sizes=TINY)
    other = make_demo(tmp_path / "other", sizes=TINY, random_state=7)
    assert _bytes(again.path) == _bytes(demo.path)
    assert pq.read_table(other.path / "click_log") != pq.read_table(demo.path / "click_log")


def test_a_demo_that_is_there_is_not_made_again(demo):
    before = {file: file.stat().st_mtime_ns for file in demo.path.rglob("*")}
    found = make_demo(demo.path, sizes=TINY)
    assert (found.made, found.corpora) == (False, dict(demo.corpora))
    assert {file: file.stat().st_mtime_ns for file in demo.path.rglob("*")} == before


def test_another_size_replaces_the_old_demo_and_leaves_nothing_beside_it(tmp_path):
    make_demo(tmp_path / "demo", sizes=TINY)
    small = {"network": CorpusSize(n_intents=10, n_serps=50, n_robots=0, n_candidates=10)}
    assert make_demo(tmp_path / "demo", sizes=small).corpora["network"].n_serps == 50
    assert [path.name for path in tmp_path.iterdir()] == ["demo"]


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(DataError, match="something other than a demo"):
        make_demo(tmp_path, sizes=TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_library_without_sources_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("rankhammer.demo.corpus.CORPORA", {"network": ("no_such_module",)})
    with pytest.raises(DataError, match=r"'network'.* 0 documented objects"):
        make_demo(tmp_path / "demo", sizes=TINY)
    assert not (tmp_path / "demo").exists()


def test_robots_exceed_the_daily_threshold_and_people_do_not(tables):
    log = tables["click_log"]
    days = log.append_column("day", pc.floor_temporal(log["shown_at"], unit="day"))
    per_day = days.group_by(["session_id", "day"]).aggregate([("serp_id", "count_distinct")])["serp_id_count_distinct"]
    above = [count for count in per_day.to_pylist() if count > MAX_SERPS_PER_DAY]
    assert above == [210, 210]
    assert max(count for count in per_day.to_pylist() if count <= MAX_SERPS_PER_DAY) <= 5


def test_every_document_shown_is_in_the_corpus(tables):
    assert pc.all(pc.is_in(tables["click_log"]["doc_id"], tables["documents"]["doc_id"])).as_py()


def test_every_query_is_judged_under_one_of_its_spellings(tables):
    asked, judged = (
        {normalize_query(query, "english") for query in tables[name]["query"].unique().to_pylist()}
        for name in ("click_log", "reference_judgments")
    )
    assert asked <= judged


def test_a_page_has_positions_from_one_on_and_no_document_twice(tables):
    pages = tables["click_log"].group_by("serp_id").aggregate([("position", "list"), ("doc_id", "list")])
    for row in pages.to_pylist():
        assert row["position_list"] == list(range(1, len(row["doc_id_list"]) + 1))
        assert len(set(row["doc_id_list"])) == len(row["doc_id_list"])


def test_clicks_fall_with_the_position(tables):
    rate = tables["click_log"].group_by("position").aggregate([("clicked", "mean")]).sort_by("position")["clicked_mean"]
    first, middle, last = rate[0].as_py(), rate[4].as_py(), rate[9].as_py()
    assert first > middle > last


def test_the_summary_counts_what_was_written(demo, tables):
    found = demo.corpora["network"]
    assert found.n_documents == tables["documents"].num_rows
    assert found.n_impressions == tables["click_log"].num_rows
    assert found.n_serps == 900 + 2 * 210 == pc.count_distinct(tables["click_log"]["serp_id"]).as_py()
    assert found.n_clicks == pc.sum(tables["click_log"]["clicked"]).as_py()
    assert "network: " in str(demo)


def test_the_shipped_demo_has_a_few_percent_robots():
    for size in SIZES.values():
        assert 0.02 < size.n_robots * size.robot_serps / size.n_serps < 0.05
        assert size.robot_serps > MAX_SERPS_PER_DAY
