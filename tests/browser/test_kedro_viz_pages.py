"""The pages of `kedro viz run` in a real browser: layers, stages, previews and plots, on dark and on light.

Each test leaves a picture in build/screenshots, for a person to look at.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from rankhammer.pipeline_registry import BRANCHES, COMPOSITES, STAGES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.budget("browser"), pytest.mark.slow_start]

LAYERS = ["raw", "primary", "feature", "model_input", "models", "model_output", "reporting"]
NO_NETWORK = "Failed to load resource: net::ERR_"
"""A web font and the question for newer versions: they fail harmlessly where there is no network."""
PLOTS = (
    "click_through_by_position",
    "label_histogram",
    "click_model_fit",
    "feature_distributions",
    "fold_balance",
    "ndcg_comparison",
    "feature_importance",
    "ndcg_by_run",
    "query_gains",
)
SIZE = {"width": 1500, "height": 950}


@contextmanager
def shown(browser: Any, url: str) -> Iterator[Any]:
    """Open a page; what its console calls an error, or throws, fails the test."""
    page = browser.new_page(viewport=SIZE)
    faults: list[str] = []
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(url)
    page.wait_for_selector(".pipeline-node")
    for hint in (".feature-hints__close", "text=Dismiss"):
        if page.query_selector(hint):
            page.click(hint)
    yield page
    page.close()
    assert [fault for fault in faults if not fault.startswith(NO_NETWORK)] == []


def texts(page: Any, selector: str) -> list[str]:
    return [element.text_content() for element in page.query_selector_all(selector)]


@pytest.mark.parametrize("name", [*STAGES, *BRANCHES, *COMPOSITES])
def test_layers_are_drawn_in_each_pipeline(site, browser, screenshots, name):
    with shown(browser, f"{site}?pid={name}") as page:
        button = page.wait_for_selector('[data-test="sidebar-flowchart-layers-btn-true"]')
        assert button.is_enabled()
        assert set(texts(page, ".pipeline-layer-name")) <= set(LAYERS)
        assert texts(page, ".pipeline-layer-name")
        page.screenshot(path=screenshots / f"pipeline_{name}.png")


def test_the_whole_line_is_a_box_a_stage(site, browser):
    with shown(browser, site) as page:
        boxes = texts(page, ".pipeline-node--modularPipeline")
        assert sorted(boxes) == sorted((*STAGES, *BRANCHES))


def test_a_table_shows_rows_and_sizes(site, browser, screenshots):
    with shown(browser, site) as page:
        _expand(page, "serps")
        page.wait_for_selector("td")
        cells = texts(page, "td")
        assert "3 rows in all" in cells
        assert {"red shoe", "x."} <= set(cells)
        page.screenshot(path=screenshots / "table_serps.png")


def test_runs_are_listed(site, browser, screenshots):
    with shown(browser, site) as page:
        _expand(page, "run_history")
        page.wait_for_selector("td")
        assert {"done", "network 0.700, stdlib 0.700"} <= set(texts(page, "td"))
        page.screenshot(path=screenshots / "run_history.png")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_plots_have_titles_axes_and_legends(site, browser, screenshots: Path, theme):
    with shown(browser, site) as page:
        if theme == "light":
            page.click('[data-test="global-toolbar-theme-btn-dark"]')
        for name in PLOTS:
            _expand(page, name)
            page.wait_for_selector(".pipeline-metadata-modal .main-svg .legend")
            for part in ("gtitle", "xtitle", "ytitle", "legendtitletext"):
                assert texts(page, f".pipeline-metadata-modal .{part}"), (name, part)
            page.screenshot(path=screenshots / f"{theme}_{name}.png")
            page.click(".pipeline-metadata-modal__back")


def _expand(page: Any, dataset: str) -> None:
    page.click(f'[data-test="node-list-tree-item--row--{dataset}"]')
    page.click("text=Expand preview")
