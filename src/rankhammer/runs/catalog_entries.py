"""Whether the catalog has an entry for each dataset of a run: Kedro keeps one without an entry in memory only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer.errors import ConfigError, did_you_mean
from rankhammer.runs.expected_fingerprints import LINEAGE, REPORT_FINGERPRINTS

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

RUN_SUMMARY, RUN_HISTORY = "run_summary", "run_history"
_OF_EVERY_RUN = {RUN_SUMMARY, RUN_HISTORY, REPORT_FINGERPRINTS}
"""Datasets that a run needs and no node names."""

_OF_PARAMETERS = ("params:", "parameters")


def require_entries(pipeline: Pipeline, catalog: DataCatalog) -> None:
    """Refuse a run whose results would be kept nowhere, because an entry is mistyped or was removed.

    Args:
        pipeline: Of the run.
        catalog: Likewise.

    Raises:
        ConfigError: Names the dataset, and the entry that may have been meant for it.
    """
    needed = {name for name in pipeline.datasets() if not name.startswith(_OF_PARAMETERS)} - {LINEAGE} | _OF_EVERY_RUN
    missing = sorted(name for name in needed if name not in catalog)
    if missing:
        others = {name for name in catalog if not name.startswith(_OF_PARAMETERS)} - needed
        meant = did_you_mean(missing[0], others) if others else ""
        raise ConfigError(
            f"The catalog has no entry {missing[0]!r}: what stands there would be kept nowhere.",
            hint=f"{meant} conf/base/catalog has an entry for each dataset; write it there under this name.".strip(),
            name=missing[0],
        )
