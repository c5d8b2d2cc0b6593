"""The classic first experiment: a linear regression on a small table, with an evaluator beside it.

rankhammer experiment run examples/tiny_regression.py:train --local --role chief --role evaluator
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from rankhammer.experiments import TaskContext

STEPS, RATE, SEED = 200, 0.1, 7
TRUE = np.array([2.0, -1.0, 0.5])


def train(context: TaskContext) -> None:
    """Run in both roles."""
    if context.role == "evaluator":
        evaluate(context)
        return
    latest = context.checkpoints.latest()
    weights = np.zeros(len(TRUE)) if latest is None else np.frombuffer(context.checkpoints.read(latest))
    features, target = table(SEED)
    for step in range((latest or 0) + 1, STEPS + 1):
        error = features @ weights - target
        weights = weights - RATE * features.T @ error / len(target)
        if step % 50 == 0:
            context.metrics.log(step, train_mse=float(np.mean(error**2)))
            context.checkpoints.save(step, weights.tobytes())


def evaluate(context: TaskContext) -> None:
    """Measure each checkpoint on rows that training has not seen."""
    features, target = table(SEED + 1)
    for step in context.new_checkpoints():
        weights = np.frombuffer(context.checkpoints.read(step))
        context.metrics.log(step, test_mse=float(np.mean((features @ weights - target) ** 2)))


def table(seed: int, n_rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Make a table: features of shape (n_rows, 3), and what is to be learned, with some noise."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n_rows, len(TRUE)))
    return features, features @ TRUE + 0.1 * rng.normal(size=n_rows)
