"""The rankers that are current while a run measures its own beside them."""

from __future__ import annotations

from typing import Any, Never

from kedro.io import AbstractDataset, DatasetError

from rankhammer.datasets.entry_options import checks_options
from rankhammer.storage.base import local_path
from rankhammer.storage.champions import CurrentRankers


class CurrentRankersDataset(AbstractDataset[Never, CurrentRankers]):
    """The registered rankers that are current in a folder of published versions; nothing is ever written there.

    Examples:
        YAML:

        >>> # current_rankers:
        >>> #   type: rankhammer.datasets.CurrentRankersDataset
        >>> #   filepath: s3a://bucket/exported_model
    """

    @checks_options
    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the folder; nothing is opened.

        Args:
            filepath: That of the published versions: a local path or a URI (hdfs, s3a, file).
            metadata: For plugins such as kedro-viz.
        """
        self._path = local_path(filepath).rstrip("/")
        self.metadata = metadata

    def load(self) -> CurrentRankers:
        """Return what is current now; nothing need be published yet."""
        return CurrentRankers(self._path)

    def save(self, data: Never) -> None:  # noqa: ARG002 - Kedro's signature
        """Refuse: the export stage publishes (`PublishedDataset`).

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{self._path} is published by the entry exported_model, and only read here.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}
