"""Trains a small network list by list with JAX; nothing outside of this module needs it."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from rankhammer.errors import ConfigError, DataError
from rankhammer.neural_model import Layer, beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from rankhammer.rankers.neural_batches import MiniBatch

Loss = Literal["softmax", "approx_ndcg", "lambda"]
PACKAGES = ("jax", "optax", "rax")
_FLAGS = {"xla_cpu_multi_thread_eigen": "false", "xla_backend_optimization_level": "1"}
"""One thread a fit: sums are added up in one order, and a search fills the cores with fits. At level 1 a step compiles
in half the time and takes as long."""
_ROWS = 1 << 12


class NetworkShape(NamedTuple):
    """What is compiled for.

    Args:
        n_inputs: Of the first layer.
        widths: Of the hidden layers of one member.
        n_members: Networks that are trained side by side on the same mini-batches; their mean is the score.
        loss: What is minimised.
    """

    n_inputs: int
    widths: tuple[int, ...]
    n_members: int
    loss: Loss


@dataclass(frozen=True)
class Rates:
    """How steps are taken.

    Args:
        learning_rate: Of Adam.
        weight_decay: Share of the weights that goes in each step, times the learning rate.
        dropout: Share of the hidden units that a step leaves out, in steps of 1/256.
    """

    learning_rate: float
    weight_decay: float
    dropout: float


class TrainingState(NamedTuple):
    """Where training stands: weights (kernel, bias) a layer, whose first axis are the members; and Adam's own."""

    params: Any
    optimiser: Any


class Functions(NamedTuple):
    """What is compiled once a shape."""

    start: Callable[[Any], TrainingState]
    step: Callable[..., tuple[TrainingState, Any]]
    scores: Callable[[Any, Any], Any]


def require_packages() -> None:
    """Check that what training needs is installed; scoring needs none of it.

    Raises:
        ConfigError: It is not.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f"The ranker neural is trained by {', '.join(PACKAGES)}; not installed: {', '.join(missing)}.",
            hint="pip install 'rankhammer[neural]', in the environment that travels to a cluster, too.",
            missing=missing,
        )


def load_jax() -> Any:
    """Import JAX on one thread of the CPU, unless the process has set it up for itself before.

    Raises:
        ConfigError: See `require_packages`.
    """
    require_packages()
    given = os.environ.get("XLA_FLAGS", "")
    own = [f"--{name}={value}" for name, value in _FLAGS.items() if name not in given]
    os.environ["XLA_FLAGS"] = " ".join([given, *own]).strip()
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    import jax

    return jax


class Network:
    """One network in training.

    Args:
        shape: Its layers, members and loss.
        rates: How steps are taken.
        seed: Of first weights and dropout.
        place: Turns the arrays of a mini-batch (queries first) into what a step takes; for data-parallel training.
    """

    def __init__(self, shape: NetworkShape, rates: Rates, seed: int, place: Callable[[Any], Any] | None = None) -> None:
        self._shape = shape
        self._functions = compiled(shape)
        self._rates = rates
        self._seed = seed
        self.begin_round(0)
        self._place = place or (lambda array: array)
        self.state = self._functions.start(first_weights(shape, seed))

    def begin_round(self, number: int, rank: int = 0) -> None:
        """Make what dropout draws from here on depend on the round alone, so that a resumed fit goes on alike.

        Args:
            number: Of the round.
            rank: Of this process; others leave out other units.
        """
        self._rng = np.random.default_rng([self._seed, 1, number, rank])

    def learn(self, batch: MiniBatch) -> Any:
        """Take one step, and return the mean loss before it, as JAX has it."""
        arrays = (batch.features, batch.label, batch.there, batch.weight, self._noise(batch.there.shape))
        rates = np.array([self._rates.learning_rate, self._rates.weight_decay, self._rates.dropout], np.float32)
        self.state, loss = self._functions.step(self.state, [self._place(one) for one in arrays], rates)
        return loss

    def _noise(self, queries_and_documents: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return what dropout draws by: one byte a unit, shape (n_queries, n_members, n_layers, n_documents, width)."""
        n_queries, n_documents = queries_and_documents
        widths = self._shape.widths
        shape = (n_queries, self._shape.n_members, len(widths), n_documents, max(widths, default=0))
        if not self._rates.dropout:
            return np.full(shape, 255, np.uint8)
        return self._rng.integers(0, 256, shape, np.uint8)

    def scores(self, standardised: NDArray[np.float32]) -> NDArray[np.float64]:
        """Score standardised vectors, shape (n_rows, n_inputs) to (n_rows,), in 32 bits."""
        found, params = [np.empty(0)], self.snapshot()
        for start in range(0, len(standardised), _ROWS):
            rows = standardised[start : start + _ROWS]
            filled = np.zeros((_ROWS, standardised.shape[1]), np.float32)
            filled[: len(rows)] = rows
            scored = np.asarray(self._functions.scores(params, filled))
            found.append(scored[: len(rows)].astype(np.float64))
        return np.concatenate(found)

    def layers(self) -> tuple[Layer, ...]:
        """Return the members' mean as one network: hidden units of one member see no units of another."""
        return merged([*_members(self.state.params)])

    def snapshot(self) -> Any:
        """Return the weights as they are now."""
        return [(np.asarray(kernel), np.asarray(bias)) for kernel, bias in self.state.params]

    def restore(self, params: Any) -> None:
        """Take back weights that `snapshot` returned."""
        self.state = self.state._replace(params=params)

    def save(self) -> bytes:
        """Return weights and Adam's own numbers, from which `load` goes on as if nothing had been."""
        leaves = load_jax().tree.leaves(self.state)
        file = io.BytesIO()
        np.savez(file, *(np.asarray(leaf) for leaf in leaves))
        return file.getvalue()

    def load(self, content: bytes) -> None:
        """Go on from what `save` returned.

        Raises:
            DataError: It is of a network of another shape.
        """
        tree = load_jax().tree
        with np.load(io.BytesIO(content)) as found:
            leaves = [found[name] for name in found.files]
        wanted = tree.leaves(self.state)
        if [leaf.shape for leaf in leaves] != [np.shape(leaf) for leaf in wanted]:
            raise DataError("The checkpoint is of a network of another shape.", hint="Start a new experiment.")
        self.state = tree.unflatten(tree.structure(self.state), leaves)


def merged(members: list[list[Layer]]) -> tuple[Layer, ...]:
    """Put networks of one shape side by side.

    Args:
        members: Layers of each.

    Returns:
        Layers of a network whose score is the mean of theirs.
    """
    found = []
    for number, parts in enumerate(zip(*members, strict=True)):
        bias = np.concatenate([part.bias for part in parts])
        if number == 0 and len(members[0]) > 1:
            weights = np.concatenate([part.weights for part in parts])
        elif number == len(members[0]) - 1:
            weights = np.concatenate([part.weights for part in parts], axis=1) / np.float32(len(parts))
            bias = np.array([bias.mean(dtype=np.float64)], np.float32)
        else:
            weights = beside([part.weights for part in parts])
        found.append(Layer(weights.astype(np.float32), bias))
    return tuple(found)


def _members(params: Any) -> Iterator[list[Layer]]:
    known = [(np.asarray(kernel), np.asarray(bias)) for kernel, bias in params]
    for member in range(len(known[0][1])):
        yield [Layer(np.ascontiguousarray(kernel[member].T), bias[member]) for kernel, bias in known]


def first_weights(shape: NetworkShape, seed: int) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Draw weights whose sums keep the spread of their inputs, and biases of 0.

    References:
        K. He et al., "Delving Deep into Rectifiers", ICCV, 2015.
    """
    rng = np.random.default_rng([seed, 0])
    sizes = [shape.n_inputs, *shape.widths, 1]
    found = []
    for n_inputs, n_outputs in pairwise(sizes):
        kernel = rng.normal(size=(shape.n_members, n_inputs, n_outputs)) * np.sqrt(
            (2 if n_outputs > 1 else 1) / n_inputs
        )
        found.append((kernel.astype(np.float32), np.zeros((shape.n_members, n_outputs), np.float32)))
    return found


def losses() -> Mapping[str, Callable[..., Any]]:
    """Return the loss of each query, shape (n_queries,), by name: (scores, labels, there) of shape (n_queries, n_docs).

    References:
        R. Jagerman et al., "Rax: Composable Learning-to-Rank using JAX", KDD, 2022.
        T. Qin, T. Liu, H. Li, "A General Approximation Framework for Direct Optimization of Information Retrieval
        Measures", Information Retrieval, 2010.
    """
    import jax.numpy as jnp
    import rax

    approx_ndcg = with_wraps(lambda: rax.approx_t12n(rax.ndcg_metric))

    def softmax(scores: Any, label: Any, there: Any) -> Any:
        gains = jnp.where(there, jnp.exp2(label) - 1.0, 0.0)
        shares = gains / jnp.maximum(gains.sum(axis=-1, keepdims=True), 1e-9)
        return rax.softmax_loss(scores, shares, where=there, reduce_fn=None)

    def approximate(scores: Any, label: Any, there: Any) -> Any:
        return approx_ndcg(scores, label, where=there, reduce_fn=None)

    def pairs(scores: Any, label: Any, there: Any) -> Any:
        found = rax.pairwise_logistic_loss(
            scores, label, where=there, lambdaweight_fn=rax.dcg2_lambdaweight, reduce_fn=None
        )
        return found.reshape(len(scores), -1).sum(axis=-1)

    return {"softmax": softmax, "approx_ndcg": approximate, "lambda": pairs}


def with_wraps(make: Callable[[], Any]) -> Any:
    """Call what needs `jax.util.wraps`, which rax 0.4 uses and JAX from 0.8.2 on no longer has."""
    jax = load_jax()
    before = getattr(jax, "util", None)
    jax.util = SimpleNamespace(wraps=lambda *_, **__: lambda function: function)
    try:
        return make()
    finally:
        if before is None:
            del jax.util
        else:
            jax.util = before


@cache
def compiled(shape: NetworkShape) -> Functions:
    """Build the functions of one shape; JAX compiles each once for every size of a mini-batch."""
    jax = load_jax()
    import jax.numpy as jnp
    import optax

    adam, loss_of = optax.scale_by_adam(), losses()[shape.loss]

    def total(params: Any, noise: Any, batch: Any, dropout: Any) -> Any:
        features, label, there, weight = batch
        scores = forward(jnp, params, features, noise, dropout)
        return (loss_of(scores, label, there) * weight).sum() / jnp.maximum(weight.sum(), 1e-9)

    def step(state: TrainingState, arrays: Any, rates: Any) -> tuple[TrainingState, Any]:
        *batch, noise = arrays
        by_member = jax.vmap(jax.value_and_grad(total), in_axes=(0, 1, None, None))
        found, slopes = by_member(state.params, noise, batch, rates[2])
        moved, optimiser = adam.update(slopes, state.optimiser, state.params)

        def move(weights: Any, by: Any) -> Any:
            # A bias has one axis less than a kernel, and is not held back.
            held = rates[1] if weights.ndim == 3 else 0.0
            return weights - rates[0] * (by + held * weights)

        return TrainingState(jax.tree.map(move, state.params, moved), optimiser), found.mean()

    def scores(params: Any, rows: Any) -> Any:
        return jax.vmap(lambda one: forward(jnp, one, rows, None, 0.0))(params).mean(axis=0)

    def start(params: Any) -> TrainingState:
        return TrainingState(params, jax.tree.map(np.asarray, adam.init(params)))

    return Functions(start, jax.jit(step), jax.jit(scores))


def forward(jnp: Any, params: Any, values: Any, noise: Any, dropout: Any) -> Any:
    """Score standardised vectors with one member, shape (..., n_inputs) to (...).

    Args:
        jnp: JAX's numpy.
        params: Kernel and bias of each layer.
        values: Vectors.
        noise: Bytes, shape (n_queries, n_layers, n_documents, width); units below the dropout are left out. None: none.
        dropout: Share of the units.
    """
    *hidden, (kernel, bias) = params
    for number, (weights, shift) in enumerate(hidden):
        values = jnp.maximum(values @ weights + shift, 0.0)
        if noise is not None:
            kept = noise[:, number, :, : values.shape[-1]] >= 256.0 * dropout
            values = jnp.where(kept, values / (1.0 - dropout), 0.0)
    return (values @ kernel + bias)[..., 0]
