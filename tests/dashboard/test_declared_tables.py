"""Pages of tables that a project's own jobs write."""

from __future__ import annotations

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.dashboard.conftest import Client, make_site
from tests.support.run_results import HOSTILE, make_results

from rankhammer.dashboard.declared import PREFIX, DeclaredPage, pages
from rankhammer.dashboard.mirror import Mirror
from rankhammer.dashboard.site import COOKIE
from rankhammer.sql_tables.settings import read_settings

PLOT = {
    "x": "size",
    "y": "accuracy",
    "by": "family",
    "x_label": "neurons",
    "y_label": "accuracy (0 to 1)",
    "title": None,
}
PAGE = DeclaredPage("sizes", "Accuracy by size", ["family", "size", "accuracy"], ["family", "size"], PLOT)


def write(folder, family=HOSTILE, n=3):
    (folder / "family=a").mkdir(parents=True, exist_ok=True)
    columns = {"size": [5 * k for k in range(n)], "accuracy": [k / 10 for k in range(n)]}
    parquet.write_table(pa.table(columns), folder / "family=a" / "part-0.parquet")
    (folder / "_SUCCESS").write_bytes(b"")


@pytest.fixture
def own(folder):
    """Somebody signed in, and the folder of a table that is declared and not written yet."""
    places = make_results(folder) | {f"{PREFIX}sizes": str(folder / "sizes")}
    (folder / "sizes").mkdir()
    site, _ = make_site(places, PAGE)
    return Client(site, cookie=f"{COOKIE}={site.access.new_session(10**10)}"), folder / "sizes"


def test_a_declared_table_has_a_page_with_its_rows_and_plot(own):
    client, place = own
    write(place)
    answer = client.get("/tables/sizes")
    assert answer.status == 200
    assert "Accuracy by size" in answer.text
    assert "horizontal: neurons; vertical: accuracy (0 to 1)" in answer.text
    assert '<td data-label="size" class="number">10</td>' in answer.text
    assert 'href="/tables/sizes"' in client.get("/tables").text
    assert 'href="/tables"' in client.get("/").text


def test_a_table_is_shown_when_its_job_has_finished_and_then_as_it_is(own):
    client, place = own
    assert "No job has written this table" in client.get("/tables/sizes").text
    write(place)
    assert "3</span>" in client.get("/tables/sizes").text
    write(place, n=4)
    assert "4</span>" in client.get("/tables/sizes").text
    (place / "_SUCCESS").unlink()
    assert "one is writing it just now" in client.get("/tables/sizes").text


def test_other_names_have_no_page(own):
    client, _ = own
    assert client.get("/tables/evaluation").status == 404
    assert client.get("/tables/..%2Fsizes").status == 404


def test_files_of_another_form_are_no_page_with_a_trace(own):
    client, place = own
    write(place)
    parquet.write_table(pa.table({"other": [1]}), place / "family=a" / "part-0.parquet")
    assert client.get("/tables/sizes").status == 500


def test_a_table_elsewhere_is_copied_whole_or_not_at_all(own, tmp_path):
    _, place = own
    write(place)
    mirror = Mirror({"run_history": str(tmp_path / "none"), f"{PREFIX}sizes": str(place)}, tmp_path / "copies")
    mirror.copy()
    copied = tmp_path / "copies" / ".shared" / f"{PREFIX}sizes"
    assert (copied / "_SUCCESS").exists()
    assert len(list(copied.rglob("*.parquet"))) == 1


def test_what_the_server_is_told_is_what_tables_yml_says():
    columns = {"size": "int", "accuracy": "double"}
    settings = read_settings({"declared": {"sizes": {"path": "x", "columns": columns, "order_by": ["size"]}}})
    (page,) = pages(settings)
    assert DeclaredPage(**page).statement.startswith('SELECT "size", "accuracy" FROM read_parquet($files')
