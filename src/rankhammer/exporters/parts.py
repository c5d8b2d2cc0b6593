"""The parts of a model that a score is the sum of: what a document meets in each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One decision on a document's way through a tree.

    Args:
        feature: What the node asks for.
        value: The document's value as the engine sees it.
        threshold: What the engine compares it with.
        left: The way it went.
    """

    feature: str
    value: float
    threshold: float
    left: bool


@dataclass(frozen=True)
class TreePath:
    """A document's way through one tree.

    Args:
        steps: Decisions from the root on.
        value: What the leaf adds to the score.
    """

    steps: tuple[Step, ...]
    value: float


@dataclass(frozen=True)
class Term:
    """What one feature adds to a weighted sum.

    Args:
        feature: Its name.
        number: The document's value as the engine sees it.
        weight: What it is multiplied with.
        value: What it adds to the score.
    """

    feature: str
    number: float
    weight: float
    value: float


Part = TreePath | Term
"""What one part of a model, a tree or a weight, adds to a document's score: its `value`, and why."""
