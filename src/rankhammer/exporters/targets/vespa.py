"""Writes rankers for Vespa: trees for its `xgboost()` ranking expression, networks as functions of a rank profile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.digests import content_name
from rankhammer.exporters.ir.nested_trees import TreeFormat, exact
from rankhammer.exporters.ir.network_format import parsed_network
from rankhammer.exporters.ir.sum_format import parsed_sum
from rankhammer.exporters.targets import ltr_json
from rankhammer.exporters.targets.model_files import ModelFiles, verification, writer_for
from rankhammer.exporters.targets.vespa_network import SCORE, network_constants, network_functions, read_network
from rankhammer.feature_sets.dialects.vespa_features import VespaFeatures, refuse_unknown_names, vespa_features
from rankhammer.feature_sets.needed_features import needed_features
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from rankhammer.exporters.base import TrainedRanker
    from rankhammer.exporters.ir.trees import Forest
    from rankhammer.exporters.parts import Part
    from rankhammer.exporters.targets.model_files import ParsedModel
    from rankhammer.feature_sets import FeatureSet
    from rankhammer.neural_model import NeuralModel

_ABSENT = {
    "trees": "0.0 and each node's default direction send an absent feature the same way",
    "neural": "an absent feature counts as 0",
    "mixed": "an absent feature counts as 0; each node's default direction sends it the same way",
}
_PARTS: dict[str, Callable[[Any], tuple[Forest | None, NeuralModel | None]]] = {
    "trees": lambda form: (form.forest, None),
    "neural": lambda form: (None, form.network),
    "mixed": lambda form: (form.trees.forest, form.network.network),
}
"""What a ranker is made of to its trees and its network."""
RankFeature = Annotated[str, Field(pattern=r"^[A-Za-z_][\w.,()$ -]*$", max_length=200)]


class VespaOptions(StrictModel):
    """What stands for our features in Vespa."""

    rank_features: dict[str, RankFeature] = Field(
        default_factory=dict, description="feature name to a rank feature such as nativeRank(title)"
    )
    rerank_count: int = Field(100, ge=1, le=10_000, description="documents a content node reranks in the example")


class Vespa(ModelFiles[VespaOptions]):
    """Trees as the JSON dump that Vespa's `xgboost()` reads, or a network as functions, and an example rank profile.

    Vespa compares in 32-bit or 64-bit floats, as it compiles the trees: thresholds are written so that both agree.

    Args:
        options: Checked `VespaOptions`.
    """

    Options: ClassVar[type[BaseModel]] = VespaOptions
    kinds: ClassVar[tuple[str, ...]] = ("trees", "neural", "mixed")
    name = "vespa"
    format = TreeFormat(read=ltr_json.read_node, kind=np.float64)

    def write(self, ranker: TrainedRanker) -> dict[str, bytes]:
        """Write model.json (for the application's `models` folder), rank_profile.sd and rank_features.tsv.

        Raises:
            ExportError: A feature has no counterpart in Vespa, or would have other values than in training.
        """
        forest, network = writer_for(ranker, self.target, _PARTS)(ranker.form)
        form = ranker.form
        form.refuse_absent(ranker.keep_absent, "zero", self.target)
        features = self._features(ranker.feature_set, form.used_features())
        names = "".join(f"{ours}\t{theirs}\n" for ours, theirs in features.names.items())
        files = {"rank_features.tsv": names.encode()}
        constants, functions, terms = list[str](), dict[str, list[str]](), list[str]()
        content: list[Any] = []
        if forest:
            trees = ltr_json.definition(forest, names=features.names, number=exact)
            content.append(trees)
            files["model.json"] = trees.encode() + b"\n"
            terms.append('xgboost("model.json")')
        if network:
            constants, functions = network_constants(network), network_functions(network, features.names)
            content += [constants, functions]
            terms.append(SCORE)
        content = [
            *([files["model.json"].decode().strip()] if forest else []),
            *([constants, functions] if network else []),
        ]
        profile = _Profile(content_name(ranker.corpus, *content), " + ".join(terms), constants, functions)
        return files | {"rank_profile.sd": profile.text(features, self._options.rerank_count).encode()}

    def parse(self, files: Mapping[str, bytes]) -> ParsedModel:
        """Read the trees from model.json, or the network from rank_profile.sd; an absent feature is 0."""
        profile = files["rank_profile.sd"].decode()
        parts: list[ParsedModel] = []
        if "model.json" in files:
            parts.append(self.format.parse(ltr_json.parse(files["model.json"]), "zero"))
        if SCORE in profile or not parts:
            parts.append(parsed_network(read_network(profile), in_32_bits=False))
        return parts[0] if len(parts) == 1 else parsed_sum(parts)

    def score(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """See `Exporter`; splits and inputs go by the names in rank_features.tsv."""
        return super().score(files, features, _their_names(files, feature_names))

    def trace(
        self, files: Mapping[str, bytes], features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> list[list[Part]]:
        """Walk a few vectors through trees or network in plain Python."""
        return super().trace(files, features, _their_names(files, feature_names))

    def facts(self, ranker: TrainedRanker, files: Mapping[str, bytes]) -> dict[str, Any]:  # noqa: ARG002 - protocol
        """Return what stands for our features, how the files were proved, and the missing rule."""
        features = self._features(ranker.feature_set, ranker.form.used_features())
        return {
            "engine": {"name": "vespa"},
            **verification("file only", "Vespa's documented rules; Vespa itself has not run it"),
            "query_params": list(features.inputs),
            "rank_features": dict(features.names),
            "missing_values": {"rule": "same", "meaning": _ABSENT[ranker.form.kind]},
            "warnings": [],
        }

    def _features(self, feature_set: FeatureSet, used: set[str]) -> VespaFeatures:
        refuse_unknown_names(self._options.rank_features, feature_set)
        return vespa_features(needed_features(feature_set, used), self._options.rank_features)


def _their_names(files: Mapping[str, bytes], ours: tuple[str, ...]) -> tuple[str, ...]:
    theirs = dict(line.split("\t") for line in files["rank_features.tsv"].decode().splitlines())
    return tuple(theirs.get(name, name) for name in ours)


@dataclass(frozen=True)
class _Profile:
    """What a rank profile computes: an expression, and the constants and functions of its own."""

    name: str
    expression: str
    constants: Sequence[str] = ()
    functions: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def text(self, features: VespaFeatures, rerank_count: int) -> str:
        """Write the profile."""
        lines = [f"rank-profile {self.name} {{"]
        if features.inputs:
            lines += ["    inputs {", *(f"        query({one}) double: 0.0" for one in features.inputs), "    }"]
        if self.constants:
            lines += ["    constants {", *(f"        {one}" for one in self.constants), "    }"]
        for function, expression in features.functions.items():
            lines += [f"    function {function}() {{", f"        expression: {expression}", "    }"]
        for function, parts in self.functions.items():
            lines += [f"    function {function}() {{", "        expression {", *(f"            {one}" for one in parts)]
            lines += ["        }", "    }"]
        lines += ["    first-phase {", f"        expression: {_first_phase(features)}", "    }"]
        lines += [
            "    second-phase {",
            f"        expression: {self.expression}",
            f"        rerank-count: {rerank_count}",
        ]
        return "\n".join([*lines, "    }", "}", ""])


def _first_phase(features: VespaFeatures) -> str:
    texts = [name for name in features.names.values() if name.startswith("bm25(")]
    return " + ".join(dict.fromkeys(texts)) or "nativeRank"
