"""Writes rankers for Solr's Learning To Rank module."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, ClassVar

import orjson
from pydantic import BaseModel, Field

from rankhammer.canonical_json import to_json
from rankhammer.digests import content_name
from rankhammer.exporters.ir.negative_values import refuse_negative_values
from rankhammer.exporters.ir.with_missing_rule import RULES
from rankhammer.exporters.targets.model_files import ModelFiles, verification, writer_for
from rankhammer.exporters.targets.solr_models import LOG_SUFFIX, SOLR_MODELS
from rankhammer.feature_sets import TextFields
from rankhammer.feature_sets.dialects.ltr_features import KEYWORDS, query_params, text_fields
from rankhammer.feature_sets.dialects.solr_features import function_features, read_params, solr_features
from rankhammer.feature_sets.needed_features import located_features, refuse_absent_operands

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.exporters.targets.model_files import ParsedModel
    from rankhammer.feature_sets import FeatureSet

LARGE_BYTES = 10 * 1024 * 1024
HEAP_PER_BYTE = 38
"""Heap that took a model, as a multiple of its size: measured on 8.11.4; half of that was not enough."""


class SolrLtrOptions(TextFields):
    """Where the files go."""

    collection: str | None = Field(None, pattern=r"^[\w.-]+$", description="collection or core named in the requests")
    quoted_keywords: bool = Field(False, description="the client sends its text quoted, too: for expressions")
    id_field: str = Field("id", pattern=r"^[\w.-]+$", description="the schema's unique key, which holds doc_id")
    rerank_docs: int = Field(100, ge=1, le=10_000, description="documents that the example query reranks")


class SolrLtr(ModelFiles[SolrLtrOptions]):
    """Model, feature store and example query for Solr's Learning To Rank module.

    Args:
        options: Checked `SolrLtrOptions`.
    """

    Options: ClassVar[type[BaseModel]] = SolrLtrOptions
    kinds: ClassVar[tuple[str, ...]] = ("trees", "linear", "neural")
    name = "solr_ltr"

    def write(self, ranker: TrainedRanker) -> dict[str, bytes]:
        """Write feature_store.json and model.json (bodies of Solr's API) and rerank_query.json.

        Raises:
            ExportError: Solr cannot compute a feature, or would see other values than the ranker was trained on.
        """
        form, kind = ranker.form, writer_for(ranker, self.target, SOLR_MODELS)
        form.refuse_absent(ranker.keep_absent, "zero", self.target)
        needed = located_features(ranker.feature_set, ranker.form.used_features(), self._options, "solr")
        refuse_absent_operands(needed, "a function query would compute with 0")
        stored = kind.stored(form, needed)
        features = solr_features(stored, quoted=self._options.quoted_keywords)
        clamped = {name.removesuffix(LOG_SUFFIX) for name in function_features(stored)}
        refuse_negative_values(form, clamped, self.target)
        params, inputs = kind.params(form, needed), kind.features(form, needed)
        norms = [one for one in inputs if "norm" in one]
        name = content_name(ranker.corpus, features, *params.values(), *norms)
        model = {
            "store": name,
            "name": name,
            "class": kind.model_class,
            "features": inputs,
            "params": params,
        }
        return {
            "feature_store.json": to_json([{"store": name, **feature} for feature in features]),
            "model.json": to_json(model, indent=None),
            "rerank_query.json": to_json({"params": self._rerank_params(name, needed, read_params(features))}),
        }

    def parse(self, files: Mapping[str, bytes]) -> ParsedModel:
        """Read model.json as Solr does; an absent feature is 0."""
        body = orjson.loads(files["model.json"])
        kind = next(kind for kind in SOLR_MODELS.values() if kind.model_class == body["class"])
        return kind.parse(body)

    def undecided(self, ranker: TrainedRanker, features: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Find values just below a threshold that Solr takes for the threshold itself.

        Args:
            ranker: The trained ranker.
            features: float32, shape (n_rows, n_features).

        Returns:
            True where a row holds such a value, shape (n_rows,).
        """
        return writer_for(ranker, self.target, SOLR_MODELS).undecided(ranker.form, features)

    def facts(self, ranker: TrainedRanker, files: Mapping[str, bytes]) -> dict[str, Any]:
        """Return names in Solr, the requests that load the files, and the missing rule."""
        needed = located_features(ranker.feature_set, ranker.form.used_features(), self._options, "solr")
        kind = writer_for(ranker, self.target, SOLR_MODELS)
        return {
            "engine": {"name": "solr", "plugin": "solr-ltr"},
            "model_type": kind.model_class.rpartition(".")[2],
            **verification("real engine", "Solr 8.11.4: a deployed ranker's scores are the booster's"),
            "requests": self._requests(),
            "query_params": sorted({*read_params(json.loads(files["feature_store.json"])), *query_params(needed)}),
            "features": list(needed.names),
            "missing_values": {"rule": "zero", "meaning": RULES["zero"]},
            "warnings": [*kind.warnings(ranker.form), *_size_warnings(len(files["model.json"]))],
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


def _size_warnings(model_bytes: int) -> list[str]:
    if model_bytes <= LARGE_BYTES:
        return []
    heap = HEAP_PER_BYTE * model_bytes / 2**20
    return [
        (
            f"The model is large: give Solr a heap of about {heap:.0f} MB, or train fewer or shallower trees. When "
            "memory runs out on loading, Solr forgets all models until the core is reloaded."
        )
    ]
