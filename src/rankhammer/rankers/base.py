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
        weight: One weight per row, float64, shape (n_rows,).
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


@dataclass(frozen=True)
class FitSettings:
    """How long and how a fit runs, apart from the searched parameters.

    Args:
        n_rounds: Largest number of boosting rounds.
        early_stopping_rounds: Rounds without a better validation NDCG before stopping; None never stops early.
        metric_k: Rank down to which the validation NDCG looks.
        n_threads: Threads to use; the result does not depend on it.
        random_state: Seed of every random choice.
    """

    n_rounds: int
    early_stopping_rounds: int | None
    metric_k: int
    n_threads: int
    random_state: int


class Ranker(Protocol):
    """A learning-to-rank algorithm that fits on one worker."""

    Options: ClassVar[type[BaseModel]]
    objective: ClassVar[str]

    def __init__(self, options: BaseModel) -> None: ...

    def default_params(self) -> dict[str, Any]:
        """Return every parameter that a search space may name, with the value it has when it is not searched."""
        ...

    def prepare(self, data: RankingData, *, reference: Any | None = None, n_threads: int = 1) -> Any:
        """Build the training matrix that many fits share (cached once per worker).

        Args:
            data: Rows of whole queries.
            reference: The prepared training data that these validation rows go with; None for training data.
            n_threads: Threads to use.

        Raises:
            DataError: The labels are out of the range that the objective can express.
        """
        ...

    def fit(self, train: Any, valid: Any | None, *, params: Mapping[str, Any], settings: FitSettings) -> FittedRanker:
        """Train on prepared data, stopping early on `valid` where it is given.

        Args:
            train: What `prepare` returned.
            valid: The same for the validation fold, or None.
            params: One point of the search space, plain Python values; the others keep their default.
            settings: Rounds, threads and seed.

        Returns:
            The ranker, cut to its best round.
        """
        ...

    def score(self, model: bytes, features: NDArray[np.float32], *, n_threads: int = 1) -> NDArray[np.float32]:
        """Score feature vectors, shape (n_rows, n_features) to (n_rows,); higher ranks first."""
        ...

    def importance(self, model: bytes, feature_names: tuple[str, ...]) -> dict[str, float]:
        """Return each feature's share of the total gain, 0 to 1; features never used are 0."""
        ...
