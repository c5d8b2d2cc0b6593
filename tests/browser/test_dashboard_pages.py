"""The dashboard in a real browser: signed in by its form, drawn, light and dark, on a screen and on a phone."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa
import pytest
from pyarrow import parquet
from tests.support.accessibility import add_axe, violations
from tests.support.run_results import HOSTILE, make_results, write_report

from rankhammer.dashboard import page_list, server
from rankhammer.dashboard.access import open_access
from rankhammer.dashboard.declared import PREFIX, DeclaredPage
from rankhammer.dashboard.results import TABLES, Results
from rankhammer.dashboard.self_contained import report
from rankhammer.dashboard.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.budget("browser"), pytest.mark.slow_start]

DRAWN = "document.querySelectorAll('figure[data-plot]').length === document.querySelectorAll('[data-drawn]').length"
TOO_WIDE = "document.documentElement.scrollWidth - window.innerWidth"
PHONE = {"width": 375, "height": 800}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Iterator[tuple[str, str]]:
    folder: Path = tmp_path_factory.mktemp("dashboard")
    _, token = open_access(folder / "access.json")
    (folder / "results").mkdir()
    places = make_results(folder / "results") | {f"{PREFIX}sizes": str(folder / "sizes")}
    (folder / "sizes").mkdir()
    columns = {"size": [5, 30, 200], "accuracy": [0.8, 0.9, 0.9]}
    parquet.write_table(pa.table(columns), folder / "sizes" / "part-0.parquet")
    (folder / "sizes" / "_SUCCESS").touch()
    write_report(folder / "results", "model_sweeps", SWEEPS)
    plot = {"x": "size", "y": "accuracy", "x_label": "neurons", "y_label": "accuracy (0 to 1)"}
    own = asdict(DeclaredPage("sizes", "Accuracy by size", list(columns), ["size"], plot))
    settings = server.Served(places, str(folder / "access.json"), {"port": 0}, "local", declared=[own])
    command = server.start(settings)
    process = subprocess.Popen(
        command, env=server.surroundings(), pass_fds=[int(command[-1])], stderr=subprocess.PIPE, text=True
    )
    yield process.stderr.readline().split()[-1], token
    process.terminate()
    assert process.wait(20) is not None
    process.stderr.close()


SIZES = [{"name": str(size), "size": size, "mean": 0.8, "lower": 0.7, "upper": 0.9} for size in (5, 30, 600)]
SURFACE = {
    "title": "30 neurons",
    "names": ["x", "o"],
    "levels": [[0, 1], [1, 0]],
    "points": [[0.2, 0.4, 0], [0.8, 0.1, 1]],
    **{axis: {"name": axis, "low": 0.0, "high": 1.0} for axis in ("x", "y")},
}
SWEEPS = {
    "sweeps": {
        "toy": {"family": "perceptrons", "metric": "accuracy", "rows": SIZES, "surfaces": [SURFACE]},
        "bands": {
            "family": "rankers",
            "metric": "ndcg@10",
            "rows": SIZES,
            "surfaces": [{**SURFACE, "is_ordered": True}],
        },
    }
}
OTHER = {"dark": "light", "light": "dark"}
SCREENS = {"phone": (PHONE, "dark"), "desk": ({"width": 1280, "height": 900}, "light")}
SHARED = {"runs": "", "capacity": "sweep", "tables": "tables", "table": "tables/sizes", "all_cost": "cost"}
OVERLAPS = """() => [...document.querySelectorAll('table.stack :is(th, td)')].filter(cell => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return range.getBoundingClientRect().bottom > cell.getBoundingClientRect().bottom + 1;
}).length"""


@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_is_drawn_fits_its_screen_and_is_accessible(site, browser, screenshots, screen):
    address, token = site
    viewport, scheme = SCREENS[screen]
    context = browser.new_context(viewport=viewport, color_scheme=scheme)
    add_axe(context)
    page: Any = context.new_page()
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{address}login")
    page.screenshot(path=screenshots / f"dashboard_{screen}_login.png")
    assert violations(page) == []
    page.fill("#token", token)
    page.click("main button")
    page.wait_for_selector("figure[data-drawn]")
    places = SHARED | {name: f"runs/1/{name}?corpus=main" for name in page_list.TABS}
    places["query"] = f"runs/1/query?corpus=main&query={quote(HOSTILE)}"
    for name, place in places.items():
        answer = page.goto(f"{address}{place}")
        assert answer.status == 200, name
        page.wait_for_function(DRAWN)
        assert page.evaluate(TOO_WIDE) <= 0, name
        assert page.evaluate(OVERLAPS) == 0, name
        assert violations(page) == [], name
        page.screenshot(path=screenshots / f"dashboard_{screen}_{name}.png", full_page=True)
        page.emulate_media(color_scheme=OTHER[scheme])
        assert violations(page, "color-contrast") == [], (name, OTHER[scheme])
        page.emulate_media(color_scheme=scheme)
    for legend in page.query_selector_all(".u-legend .u-label"):
        assert legend.text_content()
    assert faults == []
    page.goto(f"{address}nowhere")
    assert violations(page) == []
    context.close()


@pytest.mark.parametrize("screen", SCREENS)
def test_the_report_of_one_file_is_drawn_fits_its_screen_and_is_accessible(browser, tmp_path, screen):
    places = make_results(tmp_path)
    tables = Tables([places[name] for name in TABLES])
    (tmp_path / "report.html").write_text(report(Results(places), tables, 1, environment="local"))
    viewport, scheme = SCREENS[screen]
    context = browser.new_context(viewport=viewport, color_scheme=scheme)
    add_axe(context)
    page: Any = context.new_page()
    page.goto((tmp_path / "report.html").as_uri())
    page.wait_for_function(DRAWN)
    assert page.evaluate(TOO_WIDE) <= 0
    assert violations(page) == []
    context.close()


def test_axe_would_see_a_picture_without_a_text_and_pale_words(site, browser):
    address, _ = site
    context = browser.new_context()
    add_axe(context)
    page: Any = context.new_page()
    page.goto(f"{address}login")
    page.evaluate("document.querySelector('main').appendChild(document.createElement('img'))")
    page.evaluate("document.querySelector('h1').style.color = '#ddd'")
    assert [found.partition(":")[0] for found in violations(page)] == ["color-contrast", "image-alt"]
    context.close()


def test_the_switch_of_light_and_dark_is_kept_and_values_stand_where_somebody_points(site, browser):
    address, token = site
    context = browser.new_context(viewport=PHONE, color_scheme="dark")
    page: Any = context.new_page()
    page.goto(f"{address}login")
    page.fill("#token", token)
    page.click("main button")
    page.wait_for_selector("figure[data-drawn]")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.click("#theme")
    assert page.evaluate(background) != dark
    page.goto(f"{address}tables/sizes")
    page.wait_for_function(DRAWN)
    assert page.evaluate(background) != dark
    value = page.locator(".u-legend .u-series:nth-child(2) .u-value")
    assert not value.is_visible()
    page.hover(".u-over")
    assert value.is_visible()
    assert value.text_content() in ("0.8", "0.9")
    context.close()
