"""A ranker that learns from chosen features alone."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer import plugins
from rankhammer.errors import ConfigError
from rankhammer.mixed_model import is_mixed, read_mixed
from rankhammer.neural_model import is_neural, read_model
from rankhammer.plugins import PluginSpec
from rankhammer.rankers.base import FitSettings, FittedRanker, NeedsPackages, RankingData
from rankhammer.rankers.feature_selection import select
from rankhammer.rankers.linear import SPREAD, write_booster
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rankhammer.rankers.base import Ranker


class SelectedOptions(StrictModel):
    """How many features, and what learns from them."""

    n_features: int = Field(20, ge=1, le=10_000, description="features that are chosen; not searched")
    ranker: PluginSpec = Field(PluginSpec(name="xgboost"), description="ranker that learns from them, with its options")


@dataclass(frozen=True, eq=False)
class PreparedSelection:
    """Rows with the chosen features alone, as the ranker within prepared them.

    Args:
        within: What it made.
        columns: Places of the chosen features, ascending. Shape (n_chosen,).
        names: Of all features.
    """

    within: Any
    columns: NDArray[np.intp]
    names: tuple[str, ...]


class SelectedRanker:
    """Chooses features by mRMR on the rows of each fit, and lets another ranker learn from these.

    In cross-validation the validation fold takes no part in the choice, so its figures are honest. The model is
    that of the other ranker, with its features where they stand in the whole set: it scores whole vectors, and every
    target that takes the other ranker's models takes it; exports have the used features alone.

    Args:
        options: Checked `SelectedOptions`.

    Raises:
        ConfigError: The ranker within is `selected` itself.
    """

    Options: ClassVar[type[BaseModel]] = SelectedOptions

    def __init__(self, options: SelectedOptions) -> None:
        if options.ranker.name == "selected":
            raise ConfigError(
                "The ranker selected has itself as the ranker that learns.",
                hint="Name xgboost, lightgbm or linear: training.feature_selection.n_features does it for each.",
            )
        self._n_features = options.n_features
        self._within: Ranker = plugins.create("rankers", options.ranker)

    @property
    def objective(self) -> str:
        """That of the ranker within."""
        return self._within.objective

    @property
    def kind(self) -> str:
        """What the models are made of: "trees", "linear" or "neural"."""
        return str(getattr(self._within, "kind", ""))

    def default_params(self) -> dict[str, Any]:
        """Return the parameters of the ranker within."""
        return self._within.default_params()

    @property
    def ndcg_of_empty(self) -> float | None:
        """What a query without a relevant document counts there; None: nothing."""
        return getattr(self._within, "ndcg_of_empty", None)

    @property
    def extras(self) -> tuple[str, ...]:
        """Those of the ranker within."""
        return tuple(getattr(self._within, "extras", ()))

    def require_training(self) -> None:
        """Check that the ranker within can be trained here.

        Raises:
            ConfigError: See there.
        """
        if isinstance(self._within, NeedsPackages):
            self._within.require_training()

    def prepare(
        self, data: RankingData, *, reference: PreparedSelection | None = None, n_threads: int = 1
    ) -> PreparedSelection:
        """Choose features by the training rows, and let the ranker within prepare these.

        Args:
            data: Rows of whole queries, at least one.
            reference: The prepared training data that these validation rows go with: its features are taken.
            n_threads: Threads to use.

        Raises:
            DataError: That of the ranker within.
        """
        columns = self._chosen(data, n_threads) if reference is None else reference.columns
        names = tuple(data.feature_names[at] for at in columns)
        part = replace(data, features=np.ascontiguousarray(data.features[:, columns]), feature_names=names)
        before = None if reference is None else reference.within
        within = self._within.prepare(part, reference=before, n_threads=n_threads)
        return PreparedSelection(within, columns, data.feature_names)

    def _chosen(self, data: RankingData, n_threads: int) -> NDArray[np.intp]:
        names = data.feature_names
        chosen = select(data.features, data.label, names, n_features=self._n_features, n_threads=n_threads)
        return np.sort(np.array([names.index(one.feature) for one in chosen], dtype=np.intp))

    def fit(
        self,
        train: PreparedSelection,
        valid: PreparedSelection | None,
        *,
        params: Mapping[str, Any],
        settings: FitSettings,
    ) -> FittedRanker:
        """Train the ranker within.

        Args:
            train: Prepared training rows.
            valid: Prepared validation rows, or None.
            params: Point of its search space.
            settings: Rounds, threads and seed.

        Returns:
            Its model, which takes vectors of all features.
        """
        checked = None if valid is None else valid.within
        fitted = self._within.fit(train.within, checked, params=params, settings=settings)
        return replace(fitted, model=widen(fitted.model, train.columns, train.names))

    def score(self, model: bytes, features: NDArray[np.float32], *, n_threads: int = 1) -> NDArray[np.float32]:
        """Score vectors of all features, shape (n_rows, n_features) to (n_rows,)."""
        return self._within.score(model, features, n_threads=n_threads)

    def importance(self, model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
        """Return each feature's share, 0 to 1, as the ranker within counts it; 0 for those that were not chosen."""
        return self._within.importance(model, feature_names)


def learner_of(ranker: PluginSpec) -> PluginSpec:
    """Return what learns: the ranker within, where features are selected for it.

    Args:
        ranker: As a manifest names it.
    """
    if ranker.name != "selected":
        return ranker
    return SelectedOptions.model_validate(ranker.options).ranker


def widen(model: bytes, columns: NDArray[np.intp], names: Sequence[str]) -> bytes:
    """Let a booster of some features take vectors of all of them.

    Args:
        model: UBJSON of a booster of trees, of one that `linear.write_booster` wrote, or a network.
        columns: Place of each of its features among all, in its order. Shape (n_chosen,).
        names: Of all features.

    Returns:
        The same bytes for the same arguments; every score is the same.
    """
    if is_mixed(model):
        both = read_mixed(model)
        network = replace(both.network, feature_names=tuple(names))
        return replace(both, trees=widen(both.trees, columns, names), network=network).to_bytes()
    if is_neural(model):
        return replace(read_model(model), feature_names=tuple(names)).to_bytes()
    from rankhammer.light_xgboost import xgb

    content = json.loads(xgb.Booster(model_file=bytearray(model)).save_raw("json"))
    learner = content["learner"]
    booster = learner["gradient_booster"]
    if booster["name"] == "gblinear":
        weights = np.zeros((2, len(names)))
        weights[:, columns] = booster["model"]["weights"][:-1], json.loads(learner["attributes"][SPREAD])
        return write_booster(weights[0].astype(np.float32), names, weights[1])
    for tree in booster["model"]["trees"]:
        tree["split_indices"] = [int(columns[at]) for at in tree["split_indices"]]
        tree["tree_param"]["num_feature"] = str(len(names))
    learner["feature_names"], learner["feature_types"] = [*names], ["float"] * len(names)
    learner["learner_model_param"]["num_feature"] = str(len(names))
    booster["model"]["cats"] = {"enc": [], "feature_segments": [], "sorted_idx": []}
    widened = xgb.Booster(model_file=bytearray(json.dumps(content).encode()))
    return bytes(widened.save_raw("ubj"))
