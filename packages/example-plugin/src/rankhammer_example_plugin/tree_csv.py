"""Exporter of a ranker's trees as one CSV file: a row a node."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rankhammer.exporters import TrainedRanker
    from rankhammer.exporters.ir.trees import Forest

HEADER = ("tree", "node", "feature", "threshold", "left", "right", "absent_goes_left", "value")


class TreeCsvOptions(BaseModel):
    """Options of the `tree_csv` exporter."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_name: str = Field("trees.csv", pattern=r"^[\w-]+\.csv$", description="name of the file")


class TreeCsv:
    """The trees as a CSV file, a row a node; the base score is a first tree of one leaf.

    A node goes left when the feature's value < threshold, as 32-bit floats.
    """

    Options: ClassVar[type[BaseModel]] = TreeCsvOptions

    def __init__(self, options: TreeCsvOptions) -> None:
        self._options = options

    @property
    def target(self) -> str:
        """Name of the folder that the files go to."""
        return "tree_csv"

    def write(self, ranker: TrainedRanker) -> dict[str, bytes]:
        """Write one row a node.

        Args:
            ranker: A trained ranker.

        Returns:
            One file; the same ranker gives the same bytes.

        Raises:
            ExportError: The model is not an ensemble of plain regression trees.
        """
        forest = ranker.forest
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([HEADER, (0, 0, "", "", "", "", "", repr(float(forest.base)))])
        writer.writerows(_row(forest, place) for place in np.flatnonzero(forest.depth >= 0).tolist())
        return {self._options.file_name: text.getvalue().encode()}

    def score(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """Add up one leaf a tree, in 32-bit floats, as the booster does.

        Args:
            files: What `write` returned.
            features: float32, shape (n_rows, n_features); NaN where a value is absent.
            feature_names: Names of the columns of `features`.

        Returns:
            One score a row, shape (n_rows,).
        """
        trees = _read(files[self._options.file_name])
        rows = [dict(zip(feature_names, row, strict=True)) for row in features]
        scores = np.zeros(len(rows), np.float32)
        for tree in trees:
            scores += np.array([_leaf(tree, row) for row in rows], np.float32)
        return scores.astype(np.float64)


def _row(forest: Forest, place: int) -> tuple[Any, ...]:
    tree, node = forest.tree_and_node(place)
    if forest.feature[place] < 0:
        return (tree + 1, node, "", "", "", "", "", repr(float(forest.value[place])))
    root = forest.roots[tree]
    return (
        tree + 1,
        node,
        forest.feature_names[forest.feature[place]],
        repr(float(forest.threshold[place])),
        forest.left[place] - root,
        forest.right[place] - root,
        int(forest.default_left[place]),
        "",
    )


def _read(content: bytes) -> list[dict[str, dict[str, str]]]:
    """Read the CSV as one dictionary a tree: node id to row."""
    trees: dict[str, dict[str, dict[str, str]]] = {}
    for row in csv.DictReader(io.StringIO(content.decode())):
        trees.setdefault(row["tree"], {})[row["node"]] = row
    return list(trees.values())


def _leaf(tree: dict[str, dict[str, str]], values: Mapping[str, np.float32]) -> float:
    node = tree["0"]
    while node["feature"]:
        value = values[node["feature"]]
        goes_left = node["absent_goes_left"] == "1" if np.isnan(value) else value < np.float32(node["threshold"])
        node = tree[node["left"] if goes_left else node["right"]]
    return float(node["value"])
