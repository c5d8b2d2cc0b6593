"""Who searched when: result pages put into sessions of people and robots, and written as flat impressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

    from rankhammer.demo.simulate import Pages

CLICK_LOG = pa.schema(
    [
        ("corpus", pa.string()),
        ("serp_id", pa.string()),
        ("session_id", pa.string()),
        ("query", pa.string()),
        ("shown_at", pa.timestamp("us", tz="UTC")),
        ("doc_id", pa.string()),
        ("position", pa.int32()),
        ("clicked", pa.bool_()),
    ]
)
"""One row an impression; `position` is the 1-based place on the page."""

_FIRST_DAY_S = 1_767_225_600  # 2026-01-01T00:00:00Z
_DAY_S = 86_400
_N_DAYS = 14
_SESSION_SHARES = (0.50, 0.22, 0.14, 0.09, 0.05)  # of sessions with 1 to 5 searches


@dataclass(frozen=True)
class Visits:
    """The session and the time of each search.

    Args:
        session: Session numbers, shape (n_serps,).
        second: Seconds since 1970, shape (n_serps,).
    """

    session: NDArray[np.int64]
    second: NDArray[np.int64]


def people(n_serps: int, rng: Generator) -> Visits:
    """Spread searches over sessions of 1 to 5 searches, by day, within two weeks."""
    lengths = rng.choice(np.arange(1, 6), size=n_serps, p=_SESSION_SHARES)
    session = np.repeat(np.arange(n_serps), lengths)[:n_serps]
    begin = rng.integers(0, _N_DAYS, size=n_serps) * _DAY_S + rng.integers(7 * 3600, 22 * 3600, size=n_serps)
    pause = np.cumsum(rng.integers(15, 300, size=n_serps))
    first = np.searchsorted(session, session, side="left")
    return Visits(session, _FIRST_DAY_S + begin[session] + pause - pause[first])


def robots(n_robots: int, serps_each: int, rng: Generator) -> Visits:
    """Give each robot one session, all of it within one day."""
    session = np.repeat(np.arange(n_robots), serps_each)
    day = np.repeat(rng.integers(0, _N_DAYS, size=n_robots), serps_each)
    within = np.tile(np.arange(serps_each), n_robots) * (_DAY_S // (serps_each + 1))
    return Visits(session, _FIRST_DAY_S + day * _DAY_S + within)


def impressions(corpus: str, doc_ids: Sequence[str], parts: Sequence[tuple[Pages, Visits, Sequence[str]]]) -> pa.Table:
    """Write pages as flat impressions in the order of time.

    Args:
        corpus: Its name.
        doc_ids: Id of each row of the corpus.
        parts: Pages, their visits and their typed queries; sessions of different parts stay apart.

    Returns:
        CLICK_LOG's columns, one row a result shown.
    """
    documents = np.concatenate([pages.documents for pages, _, _ in parts])
    clicked = np.concatenate([pages.clicked for pages, _, _ in parts])
    queries = np.array([query for _, _, typed in parts for query in typed], dtype=object)
    second = np.concatenate([visits.second for _, visits, _ in parts])
    order = np.argsort(second, kind="stable")
    serp, place = np.nonzero(documents[order] >= 0)
    session = _numbered([visits.session for _, visits, _ in parts])[order]
    columns = [
        _repeated([corpus], np.zeros(len(serp), dtype=np.int64)),
        _repeated([f"{corpus}-{number:07d}" for number in range(len(order))], serp),
        _repeated([f"{corpus}-s{number:06d}" for number in range(session.max() + 1)], session[serp]),
        _repeated(queries[order].tolist(), serp),
        pa.array(second[order][serp] * 1_000_000, pa.timestamp("us", tz="UTC")),
        _repeated(doc_ids, documents[order][serp, place]),
        pa.array(place + 1, pa.int32()),
        pa.array(clicked[order][serp, place]),
    ]
    return pa.table(columns, schema=CLICK_LOG)


def _numbered(parts: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Number the sessions of all parts through, so that none is shared."""
    offsets = np.cumsum([0, *(int(part.max()) + 1 for part in parts[:-1])])
    return np.concatenate([part + offset for part, offset in zip(parts, offsets, strict=True)])


def _repeated(values: Sequence[str], index: NDArray[np.int64]) -> pa.Array:
    """Build a long string column from few values without making a Python string a row."""
    return pa.array(values, pa.string()).take(pa.array(index))
