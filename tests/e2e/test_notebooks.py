"""The notebooks run from top to bottom on what a run left, and are stored with what they show."""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

PLOT, MAX_BYTES = "application/vnd.plotly.v1+json", 300_000
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_with_its_results_and_with_plots_as_pictures(path):
    """`python dev/notebook_outputs.py` makes them."""
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert sum(output.output_type == "execute_result" for output in outputs) == 3
    assert sum({PLOT, "image/png"} <= output.get("data", {}).keys() for output in outputs) == 2
    assert path.stat().st_size < MAX_BYTES
    assert not re.search(r"(/tmp|/root|/home)/", path.read_text())


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_on_the_outputs_of_a_run(path, finished_run):
    notebook = nbformat.read(path, as_version=4)
    folder = finished_run / "notebooks"
    folder.mkdir(exist_ok=True)
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum(output.output_type == "execute_result" for output in outputs) == 3  # judgments, ranking, explanation
    assert sum(PLOT in output.get("data", {}) for output in outputs) == 2  # systems, contributions
    text = "".join(output.get("text", "") for output in outputs)
    assert float(re.search(r"add up to the score within (\S+)\.", text)[1]) < 1e-4
