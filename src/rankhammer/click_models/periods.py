"""A log cut by time: later days are labelled by themselves, and held out.

Until judgments are made, the later pages of a corpus stand under a name of their own, so that whatever is fitted and
measured corpus by corpus sees either period alone.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from rankhammer.errors import DataError
from rankhammer.schemas import EARLIER, LATER, PERIOD

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyspark.sql import DataFrame

    from rankhammer.errors import CorpusFailure

logger = logging.getLogger(__name__)
_MARK = "\x1flater"
"""Behind the name of a corpus: ingestion refuses names with a control character."""
TIME, PATTERN = "time", "pattern"
WAYS = ("clusters", PATTERN, TIME)
MAX_LATER = 0.5
_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Holdout:
    """What rankers are measured on.

    Args:
        by: clusters, pattern or time.
        later_share: By time, the share of a corpus's pages that are held out.
    """

    by: str = "clusters"
    later_share: float = 0.2

    @classmethod
    def parse(cls, value: object) -> Holdout:
        """Read the parameter `holdout`.

        Args:
            value: One of WAYS, or {time: share}.

        Raises:
            ValueError: It is something else, or the share is not above 0 and at most MAX_LATER.
        """
        if isinstance(value, str) and value in WAYS:
            return cls(value)
        share = value.get(TIME) if isinstance(value, Mapping) and set(value) == {TIME} else None
        if isinstance(share, bool) or not isinstance(share, int | float):
            raise ValueError(f"expected one of {', '.join(WAYS)}, or {{time: 0.2}} with another share of the pages")
        if not 0 < share <= MAX_LATER:
            raise ValueError(f"expected a share of the pages above 0 and at most {MAX_LATER}")
        return cls(TIME, float(share))

    @property
    def is_by_time(self) -> bool:
        """Whether the latest days are held out."""
        return self.by == TIME


def mark_later(serps: DataFrame, *, later_share: float) -> DataFrame:
    """Give the pages of each corpus's latest days the corpus's marked name.

    Args:
        serps: schemas.SERPS.
        later_share: Share of a corpus's pages that are later, above 0 and below 1: whole days of UTC, as near to it as
            they can be, and at least one day on each side.

    Returns:
        The same pages. A corpus with pages of one day alone, or with a page whose time is not known, has none that are
        later.

    Raises:
        DataError: No corpus can be cut.
    """
    from pyspark.sql import functions as F

    day = F.floor(F.unix_seconds("shown_at") / F.lit(86400))
    # An action: one row a (corpus, day) comes back; where the cut is has to be known before pages are counted.
    counts = serps.groupBy("corpus", day.alias("day")).agg(F.count("*").alias("n")).collect()
    first_days = {corpus: first for corpus, days in _by_corpus(counts).items() if (first := _cut(days, later_share))}
    _require_some(first_days, sorted({row["corpus"] for row in counts}))
    for corpus, first in sorted(first_days.items()):
        logger.info("Corpus %s: pages from %s on are held out", corpus, date.fromordinal(_EPOCH + first))
    is_later = F.lit(False)
    for corpus, first in sorted(first_days.items()):
        is_later = is_later | ((F.col("corpus") == corpus) & (day >= first))
    return serps.withColumn("corpus", F.when(is_later, F.concat("corpus", F.lit(_MARK))).otherwise(F.col("corpus")))


def is_later(corpus: str) -> bool:
    """Say whether a name is that of a corpus's later pages."""
    return corpus.endswith(_MARK)


def with_period(judgments: DataFrame) -> DataFrame:
    """Give later judgments their corpus's own name, and all of them a column that says which they are.

    Args:
        judgments: schemas.JUDGMENTS, with marked names.

    Returns:
        schemas.JUDGMENTS with `period`.
    """
    from pyspark.sql import functions as F

    later = F.col("corpus").endswith(_MARK)
    return judgments.withColumns(
        {
            PERIOD: F.when(later, LATER).otherwise(EARLIER),
            "corpus": F.when(later, F.expr(f"left(corpus, length(corpus) - {len(_MARK)})")).otherwise(F.col("corpus")),
        }
    )


def without_mark(failure: CorpusFailure) -> CorpusFailure:
    """Say of which corpus, and of which of its days, a fit failed."""
    if not is_later(failure.corpus):
        return failure
    corpus = failure.corpus.removesuffix(_MARK)
    return replace(failure, corpus=corpus, error=f"its later days, which are held out: {failure.error}")


def _by_corpus(counts: Iterable[Any]) -> dict[str, dict[int | None, int]]:
    found: dict[str, dict[int | None, int]] = {}
    for row in counts:
        found.setdefault(row["corpus"], {})[row["day"]] = row["n"]
    return found


def _cut(days: Mapping[int | None, int], later_share: float) -> int | None:
    """Return the first later day; None where there is no time, or one day alone.

    Worked row: pages of four days 5 1 1 3 and a share of .3: from the fourth day on .3 are later, from the third .4.
    """
    known = sorted((day, n) for day, n in days.items() if day is not None)
    if len(known) < len(days) or len(known) < 2:
        return None
    total = sum(n for _, n in known)
    before = [0, *accumulate(n for _, n in known)]
    shares = [(abs(1 - before[place] / total - later_share), -place) for place in range(1, len(known))]
    return known[-min(shares)[1]][0]


def _require_some(first_days: Mapping[str, int], corpora: Sequence[str]) -> None:
    if corpora and not first_days:
        listed = ", ".join(corpora[:5]) + (", ..." if len(corpora) > 5 else "")
        raise DataError(
            f"holdout: time needs to know when pages were shown, on at least two days; got corpora "
            f"({listed}) of which each has a page without shown_at, or pages of one day alone.",
            hint="Map the log's time as shown_at (docs/stages/ingestion.md), or set holdout: clusters.",
            corpora=list(corpora),
        )
