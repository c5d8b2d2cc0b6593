"""Several rankers, or one with several seeds, as one ensemble of trees, beside a network or without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer import plugins
from rankhammer.errors import ConfigError
from rankhammer.mixed_model import MixedModel, is_mixed, read_mixed, sum_networks
from rankhammer.neural_model import is_neural, read_model
from rankhammer.plugins import PluginSpec
from rankhammer.rankers.base import FitSettings, FittedRanker, NeedsPackages, RankingData
from rankhammer.rankers.booster_trees import blend_boosters
from rankhammer.rankers.neural import share_of_weights
from rankhammer.rankers.xgboost import score_trees, shares_of_gain
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from rankhammer.rankers.base import Ranker

_SEED_STEP = 1_000_003
_TREES, _NEURAL = "trees", "neural"


class BlendOptions(StrictModel):
    """Who scores together."""

    members: tuple[PluginSpec, ...] = Field(
        (PluginSpec(name="xgboost", options={"subsample": 0.8}),),
        min_length=1,
        max_length=20,
        description="rankers of trees, and neural at most once, with their options; parameters of an only one are "
        "searched",
    )
    seeds: int = Field(3, ge=1, le=50, description="models of each member, which differ in their seed alone")


@dataclass(frozen=True, eq=False)
class Prepared:
    """Rows as each member prepared them.

    Args:
        of_members: In the order of members.
        data: The rows themselves.
    """

    of_members: tuple[Any, ...]
    data: RankingData


class BlendRanker:
    """The mean of several rankers' scores, each divided by its spread over the training rows; one ensemble of trees.

    Every target that takes trees takes it: leaves are scaled, so that it is nothing but more trees. With a network
    among the members it is the sum of an ensemble and a network, which targets take that can add up two models. Each
    model stops early by itself in cross-validation; in the final fit all have the mean of their rounds.

    Args:
        options: Checked `BlendOptions`.

    Raises:
        ConfigError: A member's model is neither of trees nor a network, or there is no member of trees.
    """

    Options: ClassVar[type[BaseModel]] = BlendOptions

    def __init__(self, options: BlendOptions) -> None:
        self._options = options
        self._members: list[Ranker] = [plugins.create("rankers", member) for member in options.members]
        kinds = [getattr(member, "kind", "") for member in self._members]
        for spec, kind in zip(options.members, kinds, strict=True):
            if kind not in (_TREES, _NEURAL) or spec.name == "blend":
                raise ConfigError(
                    f"The ranker blend has the member {spec.name}, whose models are neither trees nor a network.",
                    hint="Members can be xgboost, lightgbm and catboost, and one neural beside them.",
                    member=spec.name,
                )
        if kinds.count(_NEURAL) > 1 or _TREES not in kinds:
            raise ConfigError(
                "The ranker blend needs a member with trees, and has the member neural at most once.",
                hint="Members are xgboost, lightgbm and catboost, and one neural beside them; `seeds` makes more.",
            )

    @property
    def kind(self) -> str:
        """What its models are made of: "trees", or "mixed" with a network among them."""
        return "mixed" if any(getattr(member, "kind", "") == _NEURAL for member in self._members) else _TREES

    @property
    def extras(self) -> tuple[str, ...]:
        """Those of the members."""
        return tuple(extra for member in self._members for extra in getattr(member, "extras", ()))

    def require_training(self) -> None:
        """Check that each member can be trained here.

        Raises:
            ConfigError: A member's.
        """
        for member in self._members:
            if isinstance(member, NeedsPackages):
                member.require_training()

    @property
    def objective(self) -> str:
        """Those of the members."""
        return "+".join(member.objective for member in self._members)

    def equal_models(self, searched: Collection[str]) -> dict[str, str]:
        """Return the members whose seeds give equal models, each with a parameter that would tell them apart.

        Args:
            searched: Parameters that a search varies, of an only member.
        """
        found = {}
        for spec, member in zip(self._options.members, self._members, strict=True):
            still: dict[str, float] = getattr(member, "without_chance", {})
            params = member.default_params()
            is_searched = len(self._members) == 1 and any(name in searched for name in still)
            if still and not is_searched and all(params[name] == value for name, value in still.items()):
                found[spec.name] = next(iter(still))
        return found if self._options.seeds > 1 else {}

    def default_params(self) -> dict[str, Any]:
        """Return the parameters of the only member; nothing where there are several, which have their options."""
        return self._members[0].default_params() if len(self._members) == 1 else {}

    def prepare(self, data: RankingData, *, reference: Prepared | None = None, n_threads: int = 1) -> Prepared:
        """Let each member prepare the rows.

        Args:
            data: Rows of whole queries, at least one.
            reference: The prepared training data that these validation rows go with.
            n_threads: Threads to use.

        Raises:
            DataError: A member's.
        """
        references = reference.of_members if reference else (None,) * len(self._members)
        found = (
            member.prepare(data, reference=one, n_threads=n_threads)
            for member, one in zip(self._members, references, strict=True)
        )
        return Prepared(tuple(found), data)

    def fit(
        self, train: Prepared, valid: Prepared | None, *, params: Mapping[str, Any], settings: FitSettings
    ) -> FittedRanker:
        """Train each member with each seed, and put their trees together.

        Args:
            train: Prepared training rows.
            valid: Prepared validation rows, or None.
            params: Point of the search space, of the only member.
            settings: Rounds, threads and seed.

        Returns:
            A booster of XGBoost (UBJSON), or a `MixedModel`; its rounds are the mean of the members', each of
            which stops by itself, so there is no one metric by round.
        """
        fitted, spreads = [], []
        for place, member in enumerate(self._members):
            checked = valid.of_members[place] if valid else None
            for seed in range(self._options.seeds):
                own = replace(settings, random_state=(settings.random_state + seed * _SEED_STEP) % 2**31)
                one = member.fit(train.of_members[place], checked, params=params, settings=own)
                scores = member.score(one.model, train.data.features, n_threads=settings.n_threads)
                fitted.append(one)
                spreads.append(float(np.std(scores, dtype=np.float64)) or 1.0)
        weights = [1 / (spread * len(spreads)) for spread in spreads]
        model = _together([one.model for one in fitted], weights, train.data.feature_names)
        return FittedRanker(model, max(1, round(sum(one.n_rounds for one in fitted) / len(fitted))))

    def score(self, model: bytes, features: NDArray[np.float32], *, n_threads: int = 1) -> NDArray[np.float32]:
        """Score feature vectors, shape (n_rows, n_features) to (n_rows,); NaN counts as missing."""
        if is_mixed(model):
            return read_mixed(model).score(features)
        return score_trees(model, features, n_threads=n_threads)

    def importance(self, model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
        """Return each feature's share of the gain, 0 to 1, in which each model counts alike; unused ones are 0."""
        if not is_mixed(model):
            return shares_of_gain(model, feature_names)
        both = read_mixed(model)
        parts = (shares_of_gain(both.trees, feature_names), share_of_weights(both.network, feature_names))
        return {name: sum(part[name] for part in parts) / 2 for name in feature_names}


def _together(models: list[bytes], weights: list[float], names: tuple[str, ...]) -> bytes:
    """Put the members' models together: trees to trees, networks to networks."""
    pairs = [*zip(models, weights, strict=True)]
    trees, networks = ([pair for pair in pairs if is_neural(pair[0]) == wanted] for wanted in (False, True))
    ensemble = blend_boosters([model for model, _ in trees], [weight for _, weight in trees], names)
    if not networks:
        return ensemble
    network = sum_networks([read_model(model) for model, _ in networks], [weight for _, weight in networks])
    return MixedModel(ensemble, network).to_bytes()
