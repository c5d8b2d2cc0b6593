"""A threshold that may differ from corpus to corpus."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - pydantic resolves annotations at run time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from pyspark.sql import Column


@dataclass(frozen=True)
class PerCorpus:
    """One threshold for most corpora, and others for some; where it may be switched off, null does that.

    Args:
        default: Of the corpora that are not named.
        corpora: Corpus to its own.

    Raises:
        ValueError: A threshold is below 1.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    default: int | None
    corpora: Mapping[str, int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for limit in (self.default, *self.corpora.values()):
            if limit is not None and limit < 1:
                raise ValueError(f"a threshold has to be at least 1, not {limit}")


def limit_of(limit: int | PerCorpus) -> int | Column:
    """Return a threshold as what a column can be compared with.

    Args:
        limit: One for all corpora, or one by corpus.

    Returns:
        A number, or a column over `corpus`: null where a corpus has no such threshold, so that no comparison holds.
    """
    if isinstance(limit, int):
        return limit
    from pyspark.sql import functions as F

    found = F.lit(limit.default).cast("int")
    for corpus, own in sorted(limit.corpora.items()):
        found = F.when(F.col("corpus") == corpus, F.lit(own).cast("int")).otherwise(found)
    return found


def smallest(limit: int | PerCorpus | None) -> int | None:
    """Return the least threshold that any corpus has; None where none has one."""
    if not isinstance(limit, PerCorpus):
        return limit
    return min((one for one in (limit.default, *limit.corpora.values()) if one is not None), default=None)


def named_corpora(*limits: object) -> set[str]:
    """Return the corpora that have thresholds of their own."""
    return {corpus for limit in limits if isinstance(limit, PerCorpus) for corpus in limit.corpora}
