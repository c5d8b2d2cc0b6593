"""Writes rankers for Solr's Learning To Rank module."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import orjson
from pydantic import BaseModel, Field

from rankhammer.exporters.content_name import content_name
from rankhammer.exporters.json_bytes import to_json
from rankhammer.exporters.lower_bound import refuse_negative_splits
from rankhammer.exporters.ltr_features import KEYWORDS, query_params, text_fields
from rankhammer.exporters.missing_values import RULES, refuse_other_directions
from rankhammer.exporters.needed_features import located_features, refuse_absent_operands
from rankhammer.exporters.nested_trees import Node, TreeFormat, fold_trees, shortest
from rankhammer.exporters.proof import proved
from rankhammer.exporters.solr_features import function_features, read_params, solr_features
from rankhammer.exporters.tree_files import TreeFiles
from rankhammer.feature_sets import TextFields

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rankhammer.exporters.base import RankerFiles
    from rankhammer.exporters.trees import Forest
    from rankhammer.feature_sets import FeatureSet

SLACK = np.float32(1e-6)
"""Solr adds this to every threshold that it reads, and then goes left when value <= threshold."""
MODEL_CLASS = "org.apache.solr.ltr.model.MultipleAdditiveTreesModel"
LARGE_BYTES = 10 * 1024 * 1024
HEAP_PER_BYTE = 38
"""Heap that took a model, as a multiple of its size: measured on 8.11.4; half of that was not enough."""


class SolrLtrOptions(TextFields):
    """Where the files go."""

    collection: str | None = Field(None, pattern=r"^[\w.-]+$", description="collection or core named in the requests")
    quoted_keywords: bool = Field(False, description="the client sends its text quoted, too: for expressions")
    id_field: str = Field("id", pattern=r"^[\w.-]+$", description="the schema's unique key, which holds doc_id")
    rerank_docs: int = Field(100, ge=1, le=10_000, description="documents that the example query reranks")


def solr_thresholds(threshold: NDArray[np.float32]) -> NDArray[np.float32]:
    """Find what to write so that Solr's `value <= float32(written + 1e-6)` is XGBoost's `value < threshold`.

    Args:
        threshold: XGBoost's thresholds, shape (n,).

    Returns:
        For each a 32-bit float that Solr turns into the largest one below the threshold. Not every float can be
        reached: within 1e-4 of zero, and just above a negative power of two, it may be one less than 1e-12 or one
        32-bit step lower. It is never the threshold or above.
    """
    below = np.nextafter(threshold, np.float32(-np.inf))
    near = (below.astype(np.float64) - SLACK).astype(np.float32)
    candidates = [near]
    for towards in (-np.inf, np.inf):
        once = np.nextafter(near, np.float32(towards))
        candidates += [once, np.nextafter(once, np.float32(towards))]
    stacked = np.stack(candidates)
    reached = np.where(stacked + SLACK <= below, stacked + SLACK, np.float32(-np.inf))
    best: NDArray[np.float32] = stacked[np.argmax(reached, axis=0), np.arange(len(threshold))]
    return best


def read_node(node: dict[str, Any]) -> Node:
    """Read one node of a model's tree, with the threshold that Solr compares with."""
    if "value" in node:
        return Node(value=float(node["value"]))
    return Node(
        feature=node["feature"],
        threshold=float(np.float32(node["threshold"]) + SLACK),
        children=(node["left"], node["right"]),
    )


class SolrLtr(TreeFiles):
    """Model, feature store and example query for Solr's Learning To Rank module.

    Args:
        options: Checked `SolrLtrOptions`.
    """

    Options: ClassVar[type[BaseModel]] = SolrLtrOptions
    format = TreeFormat(read=read_node, ties_left=True)

    def __init__(self, options: SolrLtrOptions) -> None:
        self._options = options

    @property
    def target(self) -> str:
        """Always `solr_ltr`."""
        return "solr_ltr"

    def write(self, ranker: RankerFiles) -> dict[str, bytes]:
        """Write feature_store.json and model.json (bodies of Solr's API) and rerank_query.json.

        Args:
            ranker: The trained ranker.

        Returns:
            File name to content.

        Raises:
            ExportError: Solr cannot compute a feature, or would see other values than the ranker was trained on.
        """
        forest = ranker.forest
        refuse_other_directions(forest, ranker.keep_absent, self.rule, self.target)
        needed = located_features(ranker, self._options, "solr")
        refuse_absent_operands(needed, "a function query would compute with 0")
        features = solr_features(needed, quoted=self._options.quoted_keywords)
        refuse_negative_splits(forest, function_features(needed), self.target)
        trees = [{"weight": "1", "root": root} for root in _roots(forest)]
        name = content_name(ranker.corpus, features, trees)
        model = {
            "store": name,
            "name": name,
            "class": MODEL_CLASS,
            "features": [{"name": feature} for feature in needed.names],
            "params": {"trees": trees},
        }
        return {
            "feature_store.json": to_json([{"store": name, **feature} for feature in features]),
            "model.json": to_json(model, indent=None),
            "rerank_query.json": to_json({"params": self._rerank_params(name, needed, read_params(features))}),
        }

    def trees(self, files: Mapping[str, bytes]) -> list[Any]:
        """Read the roots of the trees from model.json."""
        return [tree["root"] for tree in orjson.loads(files["model.json"])["params"]["trees"]]

    def undecided(self, ranker: RankerFiles, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Find values just below a threshold that Solr takes for the threshold itself.

        Args:
            ranker: The trained ranker.
            features: float32, shape (n_rows, n_features).

        Returns:
            True where a row holds such a value, shape (n_rows,).
        """
        forest, found = ranker.forest, np.zeros(len(features), np.bool_)
        for place in _inexact(forest).tolist():
            threshold, values = forest.threshold[place], features[:, forest.feature[place]]
            found |= (values < threshold) & (values > solr_thresholds(threshold[None])[0] + SLACK)
        return found

    def facts(self, ranker: RankerFiles, files: Mapping[str, bytes]) -> dict[str, Any]:
        """Return names in Solr, the requests that load the files, and the missing rule."""
        forest = ranker.forest
        needed = located_features(ranker, self._options, "solr")
        return {
            "engine": {"name": "solr", "plugin": "solr-ltr"},
            **proved("real engine", "Solr 8.11.4: a deployed ranker's scores are the booster's"),
            "requests": self._requests(),
            "query_params": sorted({*read_params(json.loads(files["feature_store.json"])), *query_params(needed)}),
            "features": list(needed.names),
            "missing_values": {"rule": self.rule, "meaning": RULES[self.rule]},
            "warnings": _warnings(len(files["model.json"]), len(_inexact(forest))),
        }

    def _requests(self) -> list[dict[str, str]]:
        """List what to send, in order; Solr answers 500 to a feature that is there already."""
        root = f"/solr/{self._options.collection or '<collection>'}"
        return [
            {"method": "PUT", "path": f"{root}/schema/feature-store", "body": "feature_store.json"},
            {"method": "PUT", "path": f"{root}/schema/model-store", "body": "model.json"},
            {"method": "POST", "path": f"{root}/select", "body": "rerank_query.json"},
        ]

    def _rerank_params(self, model: str, needed: FeatureSet, names: list[str]) -> dict[str, Any]:
        """Every value of the user's goes into a parameter of its own, where no character has a meaning."""
        examples = query_params(needed)
        params = {name: examples.get(name, examples.get(KEYWORDS)) for name in (*names, *examples)}
        fields = " ".join(text_fields(needed))
        passed = "".join(f" efi.{name}=${name}" for name in names)
        first = f"{{!simple qf='{fields}' q.operators='' q.op=OR v=${KEYWORDS}}}" if fields else "*:*"
        n_documents = self._options.rerank_docs
        return {
            "q": first,
            "rq": f"{{!ltr model={model} reRankDocs=$rerank_docs{passed}}}",
            "rerank_docs": n_documents,
            "fl": f"{self._options.id_field},score",
            "rows": min(10, n_documents),
            **params,
        }


def _roots(forest: Forest) -> list[dict[str, Any]]:
    """Numbers are strings: Solr refuses JSON decimals here."""
    written = solr_thresholds(forest.threshold)

    def leaf(place: int) -> dict[str, Any]:
        return {"value": shortest(forest.value[place])}

    def split(place: int, left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
        feature = forest.feature_names[forest.feature[place]]
        return {"feature": feature, "threshold": shortest(written[place]), "left": left, "right": right}

    return [{"value": shortest(forest.base)}, *fold_trees(forest, leaf, split)]


def _inexact(forest: Forest) -> NDArray[np.int64]:
    """Return the splits that Solr cannot compare with exactly."""
    threshold = forest.threshold[forest.splits]
    reached = solr_thresholds(threshold) + SLACK
    inexact: NDArray[np.int64] = forest.splits[reached != np.nextafter(threshold, np.float32(-np.inf))]
    return inexact


def _warnings(model_bytes: int, n_inexact: int) -> list[str]:
    warnings = []
    if n_inexact:
        warnings.append(
            f"{n_inexact} thresholds cannot be met exactly, because Solr adds 1e-6 to each: a value less than 1e-12, "
            "or one 32-bit step, below one of them would go the wrong way. No logged value is that close."
        )
    if model_bytes > LARGE_BYTES:
        heap = HEAP_PER_BYTE * model_bytes / 2**20
        warnings.append(
            f"The model is large: give Solr a heap of about {heap:.0f} MB, or train fewer or shallower trees. When "
            "memory runs out on loading, Solr forgets all models until the core is reloaded."
        )
    return warnings
