"""Runs the notebooks on what the last run left in data/, and stores their outputs, plots as pictures, too.

    rankhammer demo && kedro run && python dev/notebook_outputs.py

A page that shows a notebook without running it (a repository's, an editor's preview) draws no plotly figure: each gets
a PNG beside it, drawn in Chromium.
"""

from __future__ import annotations

import base64
import json
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
from nbclient import NotebookClient
from plotly.offline import get_plotlyjs

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]
PLOT, PICTURE = "application/vnd.plotly.v1+json", "image/png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
SIZE = {"width": 900, "height": 450}
PAGE = "<body style='margin: 0; background: white'><div id='plot'></div><script>{library}</script></body>"
DRAW = "figure => Plotly.newPlot('plot', figure.data, {...figure.layout, width: 900, height: 450})"


def main() -> None:
    """Write every notebook again."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(path.parent)}}).execute()
        outputs = [keep_results(cell) for cell in notebook.cells if cell.cell_type == "code"]
        with browser_page() as page:
            for output in (one for of_cell in outputs for one in of_cell if PLOT in one.get("data", {})):
                output.data = {PLOT: output.data[PLOT], PICTURE: picture(page, output.data[PLOT])}
        nbformat.write(notebook, path)
        print(f"{path.name}: {path.stat().st_size // 1000} kB")


def keep_results(cell: Any) -> list[Any]:
    """Keep what a cell prints, returns and plots: not what Kedro logs, and no times."""
    cell.metadata.pop("execution", None)
    cell.outputs = [one for one in cell.outputs if one.get("name") == "stdout" or is_result(one)]
    return list(cell.outputs)


def is_result(output: Any) -> bool:
    """Say whether an output is a cell's value or a plot."""
    return output.output_type == "execute_result" or PLOT in output.get("data", {})


@contextmanager
def browser_page() -> Iterator[Any]:
    """Open an empty page that knows plotly.

    Raises:
        SystemExit: There is no browser.
    """
    from playwright.sync_api import sync_playwright

    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit(f"None of {', '.join(BROWSERS)} is there.")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE)
        page.set_content(PAGE.format(library=get_plotlyjs()))
        yield page
        browser.close()


def picture(page: Any, figure: Any) -> str:
    """Draw a figure; return the PNG as base64."""
    page.evaluate(DRAW, json.loads(json.dumps(figure)))
    return base64.b64encode(page.screenshot()).decode()


if __name__ == "__main__":
    main()
