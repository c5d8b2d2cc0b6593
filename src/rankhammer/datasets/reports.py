"""Reports as kedro-datasets keeps them, with previews that begin with what people look for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro_datasets.json import JSONDataset
from kedro_datasets.pandas import CSVDataset

from rankhammer.datasets.preview_code import previews

if TYPE_CHECKING:
    from kedro_datasets._typing import JSONPreview, TablePreview
    from pandas import DataFrame


class ReportDataset(JSONDataset):  # type: ignore[misc]
    """A JSON report whose preview is rounded and has the headline metric first.

    Examples:
        YAML:

        >>> # training_report:
        >>> #   type: rankhammer.datasets.reports.ReportDataset
        >>> #   filepath: data/08_reporting/training_report.json
    """

    def preview(self) -> JSONPreview:
        """Return the report as JSON text."""
        return previews().of_report(self.load())


class ReportTableDataset(CSVDataset):  # type: ignore[misc]
    """A CSV report whose preview is rounded and has the wanted rows first.

    Examples:
        YAML:

        >>> # ndcg_summary:
        >>> #   type: rankhammer.datasets.reports.ReportTableDataset
        >>> #   filepath: data/08_reporting/ndcg_summary.csv
        >>> #   metadata: {kedro-viz: {preview_args: {nrows: 40, first: {metric: ndcg@10}}}}
    """

    def preview(self, nrows: int = 40, first: dict[str, Any] | None = None) -> TablePreview:
        """Return rows, each number with four digits.

        Args:
            nrows: Rows to show.
            first: Column to value: rows that have more of these values come before the others.
        """
        found: DataFrame = self.load()
        matches = sum((found[column] == value).astype(int) for column, value in (first or {}).items())
        if first:
            found = found.loc[matches.sort_values(ascending=False, kind="stable").index]
        shown = found.head(nrows).astype(object)
        rows = shown.where(shown.notna(), "").to_numpy().tolist()
        return previews().table(list(found.columns), [[*map(previews().cell, row)] for row in rows])
