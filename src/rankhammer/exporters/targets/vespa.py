"""Writes rankers for Vespa's `xgboost()` ranking expression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from rankhammer.digests import content_name
from rankhammer.exporters.ir.nested_trees import TreeFormat, exact
from rankhammer.exporters.targets import ltr_json
from rankhammer.exporters.targets.model_files import ModelFiles, verification, writer_for
from rankhammer.feature_sets.dialects.vespa_features import VespaFeatures, refuse_unknown_names, vespa_features
from rankhammer.feature_sets.needed_features import needed_features

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.exporters.parts import Part
    from rankhammer.exporters.targets.model_files import ParsedModel
    from rankhammer.feature_sets import FeatureSet

RankFeature = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.,()$ -]*$", max_length=200)]


class VespaOptions(BaseModel):
    """What stands for our features in Vespa."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank_features: dict[str, RankFeature] = Field(
        default_factory=dict, description="feature name to a rank feature such as nativeRank(title)"
    )
    rerank_count: int = Field(100, ge=1, le=10_000, description="documents a content node reranks in the example")


class Vespa(ModelFiles[VespaOptions]):
    """Trees as the JSON dump that Vespa's `xgboost()` reads, and an example rank profile.

    Vespa compares in 32-bit or 64-bit floats, as it compiles the trees: thresholds are written so that both agree.

    Args:
        options: Checked `VespaOptions`.
    """

    Options: ClassVar[type[BaseModel]] = VespaOptions
    name = "vespa"
    format = TreeFormat(read=ltr_json.read_node, kind=np.float64)

    def write(self, ranker: TrainedRanker) -> dict[str, bytes]:
        """Write model.json (for the application's `models` folder), rank_profile.sd and rank_features.tsv.

        Raises:
            ExportError: A feature has no counterpart in Vespa, or would have other values than in training.
        """
        writer_for(ranker, self.target, {"trees": self.format})
        ranker.form.refuse_absent(ranker.keep_absent, "zero", self.target)
        forest = ranker.forest
        features = self._features(ranker.feature_set, forest.used_features())
        trees = ltr_json.definition(forest, names=features.names, number=exact)
        profile = _rank_profile(content_name(ranker.corpus, trees), features, self._options.rerank_count)
        names = "".join(f"{ours}\t{theirs}\n" for ours, theirs in features.names.items())
        return {
            "model.json": trees.encode() + b"\n",
            "rank_profile.sd": profile.encode(),
            "rank_features.tsv": names.encode(),
        }

    def parse(self, files: Mapping[str, bytes]) -> ParsedModel:
        """Read the trees from model.json; an absent feature is 0."""
        return self.format.parse(ltr_json.parse(files["model.json"]), "zero")

    def score(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """See `Exporter`; the splits in model.json go by the names in rank_features.tsv."""
        return super().score(files, features, _their_names(files, feature_names))

    def trace(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> list[list[Part]]:
        """Walk a few vectors through the booster's trees in plain Python."""
        return super().trace(files, features, _their_names(files, feature_names))

    def facts(self, ranker: TrainedRanker, files: Mapping[str, bytes]) -> dict[str, Any]:  # noqa: ARG002 - protocol
        """Return what stands for our features, how the files were proved, and the missing rule."""
        features = self._features(ranker.feature_set, ranker.form.used_features())
        return {
            "engine": {"name": "vespa"},
            **verification("file only", "Vespa's documented rules; Vespa itself has not run it"),
            "query_params": list(features.inputs),
            "rank_features": dict(features.names),
            "missing_values": {
                "rule": "same",
                "meaning": "0.0 and each node's default direction send an absent feature the same way",
            },
            "warnings": [],
        }

    def _features(self, feature_set: FeatureSet, used: set[str]) -> VespaFeatures:
        refuse_unknown_names(self._options.rank_features, feature_set)
        return vespa_features(needed_features(feature_set, used), self._options.rank_features)


def _their_names(files: Mapping[str, bytes], ours: tuple[str, ...]) -> tuple[str, ...]:
    theirs = dict(line.split("\t") for line in files["rank_features.tsv"].decode().splitlines())
    return tuple(theirs.get(name, name) for name in ours)


def _rank_profile(name: str, features: VespaFeatures, rerank_count: int) -> str:
    lines = [f"rank-profile {name} {{"]
    if features.inputs:
        lines += ["    inputs {", *(f"        query({one}) double: 0.0" for one in features.inputs), "    }"]
    for function, expression in features.functions.items():
        lines += [f"    function {function}() {{", f"        expression: {expression}", "    }"]
    lines += ["    first-phase {", f"        expression: {_first_phase(features)}", "    }"]
    lines += [
        "    second-phase {",
        '        expression: xgboost("model.json")',
        f"        rerank-count: {rerank_count}",
    ]
    return "\n".join([*lines, "    }", "}", ""])


def _first_phase(features: VespaFeatures) -> str:
    texts = [name for name in features.names.values() if name.startswith("bm25(")]
    return " + ".join(dict.fromkeys(texts)) or "nativeRank"
