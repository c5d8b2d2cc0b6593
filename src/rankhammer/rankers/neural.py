"""A small neural network, learned list by list."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import BaseModel, Field

from rankhammer.evaluation.metrics import mean_value, ndcg
from rankhammer.neural_model import Layer, NeuralModel, read_model
from rankhammer.rankers.base import Batches, FitSettings, FittedRanker, RankingData
from rankhammer.rankers.neural_batches import QueryStream
from rankhammer.rankers.neural_inputs import choose_inputs
from rankhammer.rankers.neural_training import Loss, Network, NetworkShape, Rates, require_packages
from rankhammer.rankers.query_batches import Slices
from rankhammer.rankers.xgboost import check_labels
from rankhammer.strict_model import StrictModel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

_SPREAD_ROWS = 1 << 16


class NeuralOptions(StrictModel):
    """What the network is where the search space does not say otherwise: the first trial runs with these."""

    log: tuple[str, ...] = Field(
        ("auto",),
        max_length=1000,
        description="features, or patterns of names, whose sign(v) x ln(1 + |v|) is learned from; auto: those with a "
        "heavy tail; not searched",
    )
    loss: Loss = Field(
        "softmax", description="what each list is judged by; lambda: pairs weighted by their change in DCG"
    )
    hidden_layers: int = Field(2, ge=1, le=3, description="layers between features and score")
    width: int = Field(32, ge=1, le=1024, description="units of each of them")
    members: int = Field(4, ge=1, le=32, description="networks that are trained side by side; the score is their mean")
    learning_rate: float = Field(0.003, gt=0, le=1, description="of Adam")
    weight_decay: float = Field(0.01, ge=0, le=100, description="share of the weights that goes with each step")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of hidden units that a step leaves out")
    batch_rows: int = Field(
        1024, ge=8, le=1 << 20, description="documents of a mini-batch, with what fills up lists; not searched"
    )


@dataclass(frozen=True, eq=False)
class PreparedQueries:
    """Rows in batches, and what standardises them.

    Args:
        batches: Whole queries each.
        scaling: Standardises; it has no layer.
    """

    batches: Batches
    scaling: NeuralModel


class NeuralRanker:
    """A multilayer perceptron over standardised features, trained on mini-batches of whole queries with JAX.

    Rows are streamed batch by batch. The score is the mean of several small networks, which differ in their first
    weights; they are kept as one. An absent value counts as 0. The same rows, parameters and seed give the same bytes
    on one kind of machine. Scoring takes numpy alone.

    Args:
        options: Checked `NeuralOptions`.

    References:
        Z. Qin et al., "Are Neural Rankers still Outperformed by Gradient Boosted Decision Trees?", ICLR, 2021: the
        logarithm of features, and losses over lists.
        S. Bruch, "An Alternative Cross Entropy Loss for Learning-to-Rank", WWW, 2021: the softmax loss over gains.
    """

    Options: ClassVar[type[BaseModel]] = NeuralOptions
    kind: ClassVar[str] = "neural"
    extras: ClassVar[tuple[str, ...]] = ("neural",)
    reads_again: ClassVar[bool] = True
    """Batches are read in each round, so they have to stay."""

    def __init__(self, options: NeuralOptions) -> None:
        self._options = options

    @property
    def objective(self) -> str:
        """The loss, in the words of rax."""
        return f"listwise_{self._options.loss}"

    def require_training(self) -> None:
        """Check that it can be trained here.

        Raises:
            ConfigError: The extra is not installed.
        """
        require_packages()

    def default_params(self) -> dict[str, Any]:
        """Return every parameter that a search space may name, with its value in the options."""
        return self._options.model_dump(exclude={"log", "batch_rows"})

    def why_not_distributed(self) -> str:
        """Return why Spark's tasks do not train it together."""
        return "several processes train it in an experiment (examples/neural_parallel.py), not in Spark's tasks"

    def prepare(
        self, data: RankingData, *, reference: PreparedQueries | None = None, n_threads: int = 1
    ) -> PreparedQueries:
        """Measure the features.

        Args:
            data: Rows of whole queries, at least one.
            reference: The training rows whose means and spreads these validation rows go with.
            n_threads: Not used: a fit takes one thread.

        Raises:
            ConfigError: The extra is not installed.
            DataError: A label is not a whole number from 0 to 31, or a value is infinite.
        """
        return self.prepare_batches(Slices(data), reference=reference, n_threads=n_threads)

    def prepare_batches(
        self,
        batches: Batches,
        *,
        reference: PreparedQueries | None = None,
        n_threads: int = 1,  # noqa: ARG002
        cache: Path | None = None,  # noqa: ARG002
    ) -> PreparedQueries:
        """Do as `prepare` with rows in batches, which are read again in each round.

        Args:
            batches: Whole queries each.
            reference: See `prepare`.
            n_threads: Not used.
            cache: Not used: nothing is kept but the batches.

        Raises:
            ConfigError: See `prepare`.
            DataError: See `prepare`.
        """
        require_packages()
        for place in range(len(batches)):
            check_labels(batches[place].label)
        if reference is not None:
            return PreparedQueries(batches, reference.scaling)
        inputs = choose_inputs(batches, self._options.log)
        return PreparedQueries(batches, NeuralModel(batches[0].feature_names, inputs, ()))

    def fit(
        self,
        train: PreparedQueries,
        valid: PreparedQueries | None,
        *,
        params: Mapping[str, Any],
        settings: FitSettings,
    ) -> FittedRanker:
        """Go over the queries until the validation NDCG stops rising, or for all rounds.

        Args:
            train: Prepared training rows.
            valid: Prepared validation rows, or None.
            params: Point of the search space.
            settings: Rounds over all queries, and the seed; threads change nothing.

        Returns:
            The network after its best round, as canonical JSON.
        """
        chosen = NeuralOptions.model_validate({**self._options.model_dump(), **params})
        network = new_network(chosen, len(train.scaling.inputs), settings.random_state)
        stream = QueryStream(train.batches, train.scaling, chosen.batch_rows)
        watched = valid if settings.early_stopping_rounds is not None else None
        best, best_round, best_ndcg = network.snapshot(), 0, -1.0
        by_round: list[float] = []
        for number in range(1, settings.n_rounds + 1):
            network.begin_round(number)
            for batch in stream.round(settings.random_state, number):
                network.learn(batch)
            value = 0.0 if watched is None else mean_ndcg(network, watched, settings.metric_k)
            by_round += [] if watched is None else [value]
            if watched is None or value > best_ndcg:
                best, best_round, best_ndcg = (None if watched is None else network.snapshot()), number, value
            if watched is not None and number - best_round >= (settings.early_stopping_rounds or 0):
                break
        if best is not None and watched is not None:
            network.restore(best)
        return FittedRanker(finished(network, train).to_bytes(), max(1, best_round), tuple(by_round))

    def score(self, model: bytes, features: NDArray[np.float32], *, n_threads: int = 1) -> NDArray[np.float32]:  # noqa: ARG002
        """Score feature vectors, shape (n_rows, n_features) to (n_rows,); NaN counts as 0."""
        return read_model(model).score(features)

    def importance(self, model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
        """Return each feature's share of the weights on all ways from features to score, 0 to 1; others are 0."""
        return share_of_weights(read_model(model), feature_names)


def share_of_weights(network: NeuralModel, feature_names: tuple[str, ...]) -> dict[str, float]:
    """Return each feature's share of the weights on all ways from features to score, 0 to 1; others are 0.

    Args:
        network: A trained one.
        feature_names: What to name.

    References:
        G. D. Garson, "Interpreting neural-network connection weights", AI Expert, 1991.
    """
    shares = np.ones((1, 1))
    for layer in reversed(network.layers):
        sizes = np.abs(layer.weights.astype(np.float64))
        shares = shares @ (sizes / np.maximum(sizes.sum(axis=1, keepdims=True), 1e-30))
    of_input = {one.feature: float(share) for one, share in zip(network.inputs, shares[0], strict=True)}
    total = sum(of_input.values()) or 1.0
    return {name: of_input.get(name, 0.0) / total for name in feature_names}


def new_network(options: NeuralOptions, n_inputs: int, seed: int, place: Any = None) -> Network:
    """Return an untrained network.

    Args:
        options: Its parameters.
        n_inputs: Features that it looks at.
        seed: Of first weights and dropout.
        place: See `Network`.
    """
    shape = NetworkShape(n_inputs, (options.width,) * options.hidden_layers, options.members, options.loss)
    return Network(shape, Rates(options.learning_rate, options.weight_decay, options.dropout), seed, place)


def mean_ndcg(network: Network, valid: PreparedQueries, k: int) -> float:
    """Return the mean NDCG@k of validation queries, as the search measures it."""
    found = []
    for place in range(len(valid.batches)):
        batch = valid.batches[place]
        scores = network.scores(valid.scaling.standardise(np.asarray(batch.features)))
        found.append(ndcg(scores, batch.label, batch.qid, k))
    return mean_value(np.concatenate(found)) if found else 0.0


def finished(network: Network, train: PreparedQueries) -> NeuralModel:
    """Return a trained network whose scores of training rows have mean 0 and spread 1: orders stay as they are."""
    model = replace(train.scaling, layers=network.layers())
    rows = np.asarray(train.batches[0].features)
    scores = model.score(rows[:: max(1, len(rows) // _SPREAD_ROWS)]).astype(np.float64)
    spread = float(scores.std()) or 1.0
    *hidden, last = model.layers
    weights = (last.weights.astype(np.float64) / spread).astype(np.float32)
    bias = ((last.bias.astype(np.float64) - scores.mean()) / spread).astype(np.float32)
    return replace(model, layers=(*hidden, Layer(weights, bias)))
