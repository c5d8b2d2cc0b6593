"""Where a node keeps what it has finished, so that an interrupted run goes on from there."""

from __future__ import annotations

from typing import Any, Never

from kedro.io import AbstractDataset, DatasetError

from rankhammer.datasets.entry_options import checks_options
from rankhammer.storage.checkpoints import CheckpointFolder


class CheckpointDataset(AbstractDataset[Never, CheckpointFolder]):
    """A folder that a node reads and fills while it runs; it is removed once the node's outputs are written.

    Examples:
        YAML:

        >>> # tuning_checkpoints:
        >>> #   type: rankhammer.datasets.CheckpointDataset
        >>> #   filepath: hdfs:///apps/rankhammer/models/tuning_checkpoints
    """

    @checks_options
    def __init__(self, *, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Describe the folder; nothing is opened.

        Args:
            filepath: Folder: a local path or a URI (hdfs, s3a, file).
            metadata: For plugins such as kedro-viz.
        """
        self._path = filepath.rstrip("/")
        self.made_of = ""
        """Fingerprint of what the node writes, set before a run: what was kept for another one is not used."""
        self.metadata = metadata

    def load(self) -> CheckpointFolder:
        """Return the folder; nothing is read yet, and it need not exist."""
        return CheckpointFolder(self._path, self.made_of)

    def save(self, data: Never) -> None:  # noqa: ARG002 - Kedro's signature
        """Refuse: the node writes to the folder that `load` gave it.

        Raises:
            DatasetError: Always.
        """
        raise DatasetError(f"{self._path} is filled by the node that reads it, and is no node's output.")

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._path}
