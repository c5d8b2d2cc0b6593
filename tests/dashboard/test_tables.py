"""The connection that answers questions: it reads the results, and can do nothing else."""

from __future__ import annotations

import duckdb
import pytest
from tests.dashboard.conftest import Client, make_site
from tests.support.run_results import make_results, write_table

from rankhammer.dashboard.charts import Plot, Series, Span, bar, parallel, row_runs
from rankhammer.dashboard.site import COOKIE
from rankhammer.dashboard.tables import STATEMENTS, Tables

OUTSIDE = [
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_parquet('{folder}/../outside.parquet')",
    "COPY (SELECT 1) TO '{folder}/../written.csv'",
    "ATTACH '{folder}/../other.db'",
    "SET enable_external_access = true",
    "SET allowed_directories = ['/']",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SELECT * FROM read_csv('http://127.0.0.1:1/x.csv')",
]


@pytest.mark.parametrize("statement", OUTSIDE)
def test_nothing_outside_of_the_results_is_reached(folder, statement):
    places = make_results(folder)
    tables = Tables([places["evaluation"], places["tuning_trials"]])
    with pytest.raises(duckdb.Error, match=r"disabled|Cannot access|locked"):
        tables._connection.execute(statement.format(folder=places["evaluation"]))


def test_statements_only_read_and_take_values_by_name():
    for statement in STATEMENTS.values():
        assert statement.split()[0] in ("SELECT", "WITH")
        assert ";" not in statement
        assert "read_parquet($files)" in statement


def test_a_pattern_of_runs_opens_the_folder_of_runs(tmp_path):
    make_results(tmp_path / "runs" / "r1")
    tables = Tables([f"{tmp_path}/runs/*/evaluation"])
    file = tmp_path / "runs" / "r1" / "evaluation" / "part-0.parquet"
    assert tables._connection.execute("SELECT count(*) FROM read_parquet($f)", {"f": str(file)}).fetchone() == (6,)


def test_a_table_that_is_larger_than_a_page_s_memory_is_named_with_the_cure(folder):
    site, _ = make_site(make_results(folder))
    n = 300_000
    names = [f"query number {k}" for k in range(n)]
    about = {"corpus": ["main"], "metric": ["ndcg@10"], "truth": ["clicks"], "system": ["ranker"]}
    columns = {name: value * n for name, value in about.items()} | {"query": names, "value": [0.5] * n}
    write_table(folder, "evaluation", columns)
    client = Client(site, cookie=f"{COOKIE}={site.access.new_session(10**10)}")
    assert client.get("/runs/1/queries?corpus=main").status == 200
    site.tables = Tables([str(folder / "evaluation")], memory_mb=16)
    answer = client.get("/runs/1/queries?corpus=main")
    assert answer.status == 507
    assert "--table-memory" in answer.text


def test_a_series_without_a_point_has_none_there():
    plot = Plot("t", "x", "y", [Series("a", {1: 0.5, 3: (0.7, 0.6, 0.8)}), Series("b", {2: 0.1})])
    drawn = plot.for_script()
    assert drawn["at"] == [1, 2, 3]
    assert [one["y"] for one in drawn["series"]] == [[0.5, None, 0.7], [None, 0.1, None]]
    assert drawn["series"][0]["low"] == [None, None, 0.6]
    assert plot.rows()[1] == ("a", 3, 0.7, "0.600 to 0.800")


def test_bars_begin_at_zero():
    span = Span.of([-1.0, 3.0], zero=True)
    assert (span.low, span.high) == (-1.2, 3.2)
    zero = 100 * 1.2 / 4.4
    assert bar(2.2, span) == pytest.approx((zero, 50.0), abs=0.02)
    assert bar(-1.0, span) == pytest.approx((zero - 100 / 4.4, 100 / 4.4), abs=0.02)


def test_parallel_lines_go_from_axis_to_axis():
    lines, ends = parallel([{"a": 1.0, "b": 5.0}, {"a": 3.0, "b": 5.0}], ["a", "b"])
    assert lines == ["1.0,0.5 50.0,1.5", "99.0,0.5 50.0,1.5"]
    assert ends == {"a": (1.0, 3.0), "b": (5.0, 5.0)}


def test_equal_neighbours_are_one_rectangle():
    assert row_runs([[1, 1, 0], [2]]) == [(0, 0, 2, 1), (2, 0, 1, 0), (0, 1, 1, 2)]
