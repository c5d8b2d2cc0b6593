"""What every ranker offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray
    from pydantic import BaseModel


@dataclass(frozen=True)
class RankingData:
    """Feature vectors grouped by query: the rows of one query stand together.

    Args:
        features: float32, shape (n_rows, n_features).
        label: Grade of each row, float32, shape (n_rows,).
        qid: Ascending int32 group ids, shape (n_rows,).
        weight: One weight a row, float64, shape (n_rows,).
        feature_names: In column order.
    """

    features: NDArray[np.float32]
    label: NDArray[np.float32]
    qid: NDArray[np.int32]
    weight: NDArray[np.float64]
    feature_names: tuple[str, ...]


@dataclass(frozen=True)
class FittedRanker:
    """A trained ranker as bytes, so that it travels between processes and into a file unchanged.

    Args:
        model: The serialised model.
        n_rounds: Boosting rounds it holds (after early stopping).
    """

    model: bytes
    n_rounds: int


class Ranker(Protocol):
    """A learning-to-rank algorithm that fits on one worker."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: BaseModel) -> None: ...

    def search_space(self) -> Mapping[str, Any]:
        """Return the default search space: name to a hyperopt expression in YAML form, e.g. {quniform: [2, 8, 1]}."""
        ...

    def prepare(self, data: RankingData) -> Any:
        """Build the training matrix that many fits share (cached once a worker)."""
        ...

    def fit(
        self,
        train: Any,
        valid: Any | None,
        *,
        params: Mapping[str, Any],
        n_rounds: int,
        early_stopping_rounds: int | None,
        n_threads: int,
        random_state: int,
    ) -> FittedRanker:
        """Train on prepared data, stopping early on `valid` where it is given.

        Args:
            train: What `prepare` returned.
            valid: The same for the validation fold, or None.
            params: One point of the search space, plain Python values.
            n_rounds: Largest number of rounds.
            early_stopping_rounds: Rounds without improvement on `valid` before stopping.
            n_threads: Threads to use; the result does not depend on it.
            random_state: Seed of every random choice.

        Returns:
            The ranker, sliced to its best round.
        """
        ...

    def score(self, model: bytes, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """Score feature vectors, shape (n_rows, n_features) to (n_rows,); higher ranks first."""
        ...

    def importance(self, model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
        """Return each feature's share of the total gain, 0 to 1; features never used are 0."""
        ...
