"""Shapley values of a neural ranker's scores: exact over few features, by drawn orders over many."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from rankhammer.neural_model import NeuralModel

MOST_EXACT = 6
"""Inputs up to which all orders (720) are gone through."""
N_ORDERS = 64
"""Orders that are drawn beyond that; each second one is the one before it backwards, which takes away much noise."""
_SEED = 20_170_405


class NetworkShares(NamedTuple):
    """How a network's scores are shared out among the features.

    Args:
        added: What each feature adds, shape (n_rows, n_features); 0 for those that are no inputs.
        constant: Score of a document whose every input is at its mean.
        scores: Shape (n_rows,).
        standard_error: Of `added`, from the spread between pairs of orders, shape (n_rows, n_features); 0 where exact.
    """

    added: NDArray[np.float64]
    constant: float
    scores: NDArray[np.float64]
    standard_error: NDArray[np.float64]


def share_out(network: NeuralModel, features: NDArray[np.float32]) -> NetworkShares:
    """Compute Shapley values against the mean document.

    The game: a feature that takes no part has its mean in the training rows (of its logarithm where that is taken).
    Each order's gains add up to score - constant, so the means over orders do, too. The network is only asked for
    scores; that a step changes one input is used to save work.

    Args:
        network: The ranker.
        features: One vector a document, shape (n_rows, n_features).

    References:
        E. Strumbelj, I. Kononenko, "Explaining prediction models and individual predictions with feature
        contributions", Knowledge and Information Systems 41, 2014: Shapley values by drawn orders.
        R. Mitchell et al., "Sampling Permutations for Shapley Value Estimation", JMLR 23, 2022: pairs of orders.
    """
    inputs = network.standardise(features).astype(np.float64)
    n_inputs = inputs.shape[1]
    is_exact = n_inputs <= MOST_EXACT
    orders = [*permutations(range(n_inputs))] if is_exact else _drawn(n_inputs)
    gains = np.stack([_gains(network, inputs, order) for order in orders])
    found = gains.mean(axis=0)
    error = np.zeros_like(found)
    if not is_exact:
        pairs = gains.reshape(len(orders) // 2, 2, *found.shape).mean(axis=1)
        error = pairs.std(axis=0, ddof=1) / np.sqrt(len(pairs))
    constant = float(_tail(network, network.layers[0].bias.astype(np.float64)[None, :])[0])
    return NetworkShares(_spread(network, found), constant, constant + found.sum(axis=1), _spread(network, error))


def _spread(network: NeuralModel, of_inputs: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = np.zeros((len(of_inputs), len(network.feature_names)))
    whole[:, network.columns] = of_inputs
    return whole


def _drawn(n_inputs: int) -> list[Sequence[int]]:
    rng = np.random.default_rng(_SEED)
    drawn = [rng.permutation(n_inputs).tolist() for _ in range(N_ORDERS // 2)]
    return [order for one in drawn for order in (one, one[::-1])]


def _gains(network: NeuralModel, inputs: NDArray[np.float64], order: Sequence[int]) -> NDArray[np.float64]:
    """Return what each input adds when inputs take their values in this order, shape (n_rows, n_inputs)."""
    first = network.layers[0]
    weights = first.weights.astype(np.float64)
    sums = np.repeat(first.bias.astype(np.float64)[None, :], len(inputs), axis=0)
    before, gains = _tail(network, sums), np.empty_like(inputs)
    for place in order:
        sums = sums + inputs[:, place : place + 1] * weights[:, place]
        after = _tail(network, sums)
        gains[:, place], before = after - before, after
    return gains


def _tail(network: NeuralModel, sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Score from the sums of the first layer on, shape (n_rows, n_units) to (n_rows,)."""
    for layer in network.layers[1:]:
        sums = np.maximum(sums, 0.0) @ layer.weights.T.astype(np.float64) + layer.bias
    return sums[:, 0]
