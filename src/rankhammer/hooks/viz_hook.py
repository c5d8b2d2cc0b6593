"""Ends a run with the sizes of its tables where kedro-viz looks for them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from kedro.framework.hooks import hook_impl
from kedro.utils import find_kedro_project

from rankhammer.datasets import TableDataset

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

STATS = Path(".viz", "stats.json")
"""Kedro-viz' own file: it writes sizes of pandas frames there, and shows them beside each dataset."""


class VizHook:
    """Adds rows, columns and bytes of a run's tables to what kedro-viz has written; without kedro-viz, nothing."""

    @hook_impl(trylast=True)
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Write the sizes of this machine's tables; a file that cannot be written is no fault of a run."""
        project = find_kedro_project(Path.cwd())
        if project is None or not (project / STATS).is_file():
            return
        tables = {name: catalog[name] for name in sorted(pipeline.datasets()) if name in catalog}
        found = {name: table.sizes() for name, table in tables.items() if isinstance(table, TableDataset)}
        with suppress(OSError, ValueError):
            known = json.loads((project / STATS).read_text())
            content = known | {name: sizes for name, sizes in found.items() if sizes}
            (project / STATS).write_text(json.dumps(content))
