"""Exact de-duplication of ragged integer sequences, vectorised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from rankhammer.click_models.counts.columnar import from_arrow, to_arrow

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from rankhammer.click_models.types import Floats, Ints

    Hashes = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MULTIPLIERS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


GAIN_UNIT = 1000
"""Weights of clicks are whole thousandths of the largest one."""


@dataclass(frozen=True)
class Distinct:
    """The distinct ones among many sequences.

    Args:
        first: Index of one sequence of each kind, shape (n_distinct,).
        inverse: Kind of every sequence, shape (n_sequences,).
        hash: A number of each kind that depends on its content alone, shape (n_distinct,).
    """

    first: Ints
    inverse: Ints
    hash: Hashes


def factorize(keys: Ints) -> tuple[Ints, Ints]:
    """Number distinct integers in order of first appearance.

    Args:
        keys: Any integers, shape (n,).

    Returns:
        (code of each key, the distinct keys): shapes (n,) and (n_distinct,).
    """
    encoded = to_arrow(keys).dictionary_encode()
    return from_arrow(encoded.indices).astype(np.int64), from_arrow(encoded.dictionary)


def mix(values: Hashes) -> Hashes:
    """Scramble 64-bit integers (the finaliser of splitmix64); equal inputs give equal outputs.

    References:
        G. Steele, D. Lea, C. Flood: Fast splittable pseudorandom number generators, OOPSLA 2014.
    """
    mixed = values + _GOLDEN
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MULTIPLIERS[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MULTIPLIERS[1]
    return mixed ^ (mixed >> np.uint64(31))


def distinct(values: Ints, length: Ints, group: Ints) -> Distinct:
    """Find the distinct (group, sequence) combinations.

    Sequences are compared by a 64-bit hash first and then value by value, so a collision never merges two of them.

    Args:
        values: All sequences end to end, non-negative, shape (n_values,).
        length: Length of each sequence, may be 0, shape (n_sequences,).
        group: Sequences of different groups are different, shape (n_sequences,).

    Returns:
        The distinct sequences; `hash` leaves the group out.
    """
    start = np.cumsum(length) - length
    owner = np.repeat(np.arange(len(length)), length)
    place = np.arange(len(values)) - start[owner]
    content = _hash(values, length, place, start)
    inverse, _ = factorize(mix(content ^ mix(group.astype(np.uint64))).view(np.int64))
    first = _first(inverse)
    same = (group == group[first[inverse]]) & (length == length[first[inverse]])
    comparable = same[owner]
    twin = start[first[inverse[owner[comparable]]]] + place[comparable]
    differs = values[comparable] != values[twin]
    same[owner[comparable][differs]] = False
    return _split_collisions(inverse, first, same, content)


def with_gains(cells: Ints, gains: Ints | None) -> Ints:
    """Make cells whose clicks are worth different differ; without gains they stay as they are.

    Args:
        cells: Shape (n_cells,).
        gains: What each is worth, 0 to GAIN_UNIT, shape (n_cells,); None where clicks are worth the same.
    """
    return cells if gains is None else cells * (GAIN_UNIT + 1) + gains


def add_up(place: Ints, values: Floats, n: int) -> Floats:
    """Add up values by place, in the order they come: shape (m,) to (n,)."""
    return np.bincount(place, weights=values, minlength=n).astype(np.float64, copy=False)


def take_ragged(values: Ints, length: Ints, order: Ints) -> Ints:
    """Put whole sequences in another order: `values` end to end, `order` the sequence numbers to take."""
    start = np.cumsum(length) - length
    taken = length[order]
    shift = start[order] - (np.cumsum(taken) - taken)
    found: Ints = values[np.repeat(shift, taken) + np.arange(taken.sum())]
    return found


def _hash(values: Ints, length: Ints, place: Ints, start: Ints) -> Hashes:
    """Polynomial hash modulo 2^64; `np.add.reduceat` cannot sum an empty sequence, hence the mask."""
    total = np.zeros(len(length), np.uint64)
    if len(values):
        powers = np.cumprod(np.full(int(length.max()), _MULTIPLIERS[0]))
        terms = mix(values.astype(np.uint64)) * powers[place]
        total[length > 0] = np.add.reduceat(terms, start[length > 0])
    return mix(total ^ mix(length.astype(np.uint64)))


def _first(inverse: Ints) -> Ints:
    first = np.zeros(int(inverse.max()) + 1 if len(inverse) else 0, np.int64)
    first[inverse[::-1]] = np.arange(len(inverse))[::-1]
    return first


def _split_collisions(inverse: Ints, first: Ints, same: NDArray[np.bool_], content: Hashes) -> Distinct:
    """Give every sequence that only shares its kind's hash a kind of its own."""
    strangers = np.flatnonzero(~same)
    if len(strangers):
        inverse = inverse.copy()
        inverse[strangers] = len(first) + np.arange(len(strangers))
        first = np.concatenate([first, strangers])
    return Distinct(first, inverse, content[first])
