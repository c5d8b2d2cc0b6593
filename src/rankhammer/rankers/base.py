"""What every ranker offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

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
        position: Mean position in the log of each row, shape (n_rows,); None where it is not known.
    """

    features: NDArray[np.float32]
    label: NDArray[np.float32]
    qid: NDArray[np.int32]
    weight: NDArray[np.float64]
    feature_names: tuple[str, ...]
    position: NDArray[np.float64] | None = None


@dataclass(frozen=True)
class FittedRanker:
    """A trained ranker as bytes, so that it travels between processes and into a file unchanged.

    Args:
        model: The serialised model.
        n_rounds: Boosting rounds it holds (after early stopping).
        by_round: The validation metric after each round that early stopping looked at, as the ranker counts it; empty
            where it looked at none.
    """

    model: bytes
    n_rounds: int
    by_round: tuple[float, ...] = ()


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


class Batches(Protocol):
    """Whole queries, batch by batch; each may be read several times."""

    def __len__(self) -> int: ...

    def __getitem__(self, place: int) -> RankingData: ...


@runtime_checkable
class LearnsFromBatches(Protocol):
    """What a ranker offers, too, that can train on rows which are never in memory at once."""

    def why_not_distributed(self) -> str:
        """Return why one model of it cannot be trained by several tasks together; empty where it can."""
        ...

    def prepare_batches(
        self, batches: Batches, *, reference: Any | None = None, n_threads: int = 1, cache: Path | None = None
    ) -> Any:
        """Do as `Ranker.prepare` with the same rows in batches; `fit` then gives the same bytes.

        Args:
            batches: Whole queries each.
            reference: See `Ranker.prepare`.
            n_threads: Threads to use.
            cache: Folder for what is prepared, to be kept as long as that is used; None: memory.

        Raises:
            DataError: See `Ranker.prepare`; or a query is not in one batch.
        """
        ...


@runtime_checkable
class NeedsPackages(Protocol):
    """What a ranker offers, too, whose training takes packages that scoring can do without."""

    def require_training(self) -> None:
        """Check, before a run begins, that it can be trained here.

        Raises:
            ConfigError: A package is not installed.
        """
        ...


class Ranker(Protocol):
    """A learning-to-rank algorithm that fits on one worker."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: BaseModel) -> None: ...

    @property
    def objective(self) -> str:
        """What is maximised, in the words of the library that does it."""
        ...

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
