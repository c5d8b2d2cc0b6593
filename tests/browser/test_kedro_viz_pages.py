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
    "tuning_history",
    "tuning_rounds",
    "query_gains",
)
STILL = "*, *::before, *::after { transition: none !important; animation: none !important }"
"""A click waits until nothing moves below it."""
SIZE = {"width": 1500, "height": 950}


@pytest.fixture(scope="module")
def window(browser) -> Iterator[Any]:
    """One page for all: a new one each time would load six megabytes of scripts and compile them again."""
    page = browser.new_page(viewport=SIZE)
    yield page
    page.close()


@contextmanager
def shown(page: Any, url: str) -> Iterator[Any]:
    """Open a page; what its console calls an error, or throws, fails the test."""
    faults: list[str] = []
    listeners = {
        "console": lambda message: faults.append(message.text) if message.type == "error" else None,
        "pageerror": lambda error: faults.append(str(error)),
    }
    for event, listener in listeners.items():
        page.on(event, listener)
    page.goto(url)
    page.add_style_tag(content=STILL)
    page.wait_for_selector(".pipeline-node")
    for hint in (".feature-hints__close", "text=Dismiss"):
        if page.query_selector(hint):
            page.click(hint)
    yield page
    for event, listener in listeners.items():
        page.remove_listener(event, listener)
    assert [fault for fault in faults if not fault.startswith(NO_NETWORK)] == []


def texts(page: Any, selector: str) -> list[str]:
    return page.eval_on_selector_all(selector, "found => found.map(one => one.textContent)")


@pytest.mark.parametrize("name", [*STAGES, *BRANCHES, *COMPOSITES])
def test_layers_are_drawn_in_each_pipeline(site, window, screenshots, name):
    with shown(window, f"{site}?pid={name}") as page:
        button = page.wait_for_selector('[data-test="sidebar-flowchart-layers-btn-true"]')
        assert button.is_enabled()
        assert set(texts(page, ".pipeline-layer-name")) <= set(LAYERS)
        assert texts(page, ".pipeline-layer-name")
        page.screenshot(path=screenshots / f"pipeline_{name}.png")


def test_the_whole_line_is_a_box_a_stage(site, window):
    with shown(window, site) as page:
        boxes = texts(page, ".pipeline-node--modularPipeline")
        assert sorted(boxes) == sorted(COMPOSITES["__default__"])


def test_a_table_shows_rows_and_sizes(site, window, screenshots):
    with shown(window, site) as page:
        _expand(page, "serps")
        page.wait_for_selector("td")
        cells = texts(page, "td")
        assert "3 rows in all" in cells
        assert {"red shoe", "x."} <= set(cells)
        page.screenshot(path=screenshots / "table_serps.png")


def test_runs_are_listed(site, window, screenshots):
    with shown(window, site) as page:
        _expand(page, "run_history")
        page.wait_for_selector("td")
        assert {"done", "network 0.700, stdlib 0.700"} <= set(texts(page, "td"))
        page.screenshot(path=screenshots / "run_history.png")


THEME = '[data-test^="global-toolbar-theme-btn-"]'


def test_plots_have_titles_axes_and_legends_on_dark_and_on_light(site, window, screenshots: Path):
    with shown(window, site) as page:
        seen = set()
        for name in PLOTS:
            _expand(page, name)
            # In both themes; the next plot begins with that of the last one, because each change draws all of it again.
            for is_changed in (False, True):
                if is_changed:
                    _change_theme(page)
                theme = _theme(page)
                seen.add((name, theme))
                page.wait_for_selector(".pipeline-metadata-modal .main-svg .legend")
                for part in ("gtitle", "xtitle", "ytitle", "legendtitletext"):
                    assert texts(page, f".pipeline-metadata-modal .{part}"), (name, part)
                page.screenshot(path=screenshots / f"{theme}_{name}.png")
            page.click(".pipeline-metadata-modal__back")
        assert seen == {(name, theme) for name in PLOTS for theme in ("dark", "light")}


def _theme(page: Any) -> str:
    return page.evaluate("document.querySelector('.kui-theme--light') ? 'light' : 'dark'")


def _change_theme(page: Any) -> None:
    other = {"light": "dark", "dark": "light"}[_theme(page)]
    # Pressed without a mouse: the plot stands above the button.
    page.evaluate("which => document.querySelector(which).click()", THEME)
    page.wait_for_selector(f".kui-theme--{other}")


def _expand(page: Any, dataset: str) -> None:
    page.click(f'[data-test="node-list-tree-item--row--{dataset}"]')
    page.click("text=Expand preview")
