"""Clicks of simulated users whose click model is known, in sessions of people and robots, as flat impressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.random import Generator
    from numpy.typing import NDArray

_MANY_LISTS = 20


@dataclass(frozen=True)
class Users:
    """A dynamic Bayesian network over result pages, with parameters that depend on the grade alone.

    Args:
        attractiveness: Probability that an examined result is clicked, by grade.
        satisfaction: Probability that a click ends the search, by grade.
        continuation: Probability of reading on when not satisfied.

    References:
        Chapelle and Zhang, A Dynamic Bayesian Network Click Model for Web Search Ranking, WWW 2009.
    """

    attractiveness: tuple[float, ...] = (0.06, 0.14, 0.28, 0.44, 0.60)
    satisfaction: tuple[float, ...] = (0.06, 0.13, 0.25, 0.40, 0.54)
    continuation: float = 0.9


@dataclass(frozen=True)
class Pool:
    """The documents that the site's search may show for each query.

    Args:
        candidates: Row of each candidate in the corpus, -1 for none, shape (n_queries, n_candidates).
        scores: The site's own score of each, minus infinity for none, same shape.
        grades: The truth, 0 to the highest grade, same shape.
    """

    candidates: NDArray[np.int64]
    scores: NDArray[np.float64]
    grades: NDArray[np.int64]


@dataclass(frozen=True)
class Pages:
    """Result pages with their clicks.

    Args:
        query: Index of each page's query, shape (n_serps,).
        documents: Rows of the documents in shown order, -1 after the last, shape (n_serps, n_shown).
        clicked: Same shape.
    """

    query: NDArray[np.int64]
    documents: NDArray[np.int64]
    clicked: NDArray[np.bool_]


def show(
    pool: Pool, query: NDArray[np.int64], *, n_shown: int, noise: float, rng: Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Order the candidates of each search by the site's score plus noise.

    A query has up to 20 different lists, the first ones shown most often, as under a ranker that changes now and then.

    Args:
        pool: What may be shown.
        query: Index of the query of each search, shape (n_serps,).
        n_shown: Longest list.
        noise: Standard deviation of the noise, in units of the scores' standard deviation within the query.
        rng: Source of every random choice.

    Returns:
        Documents and their grades in shown order, both of shape (n_serps, n_shown), -1 where there is none.
    """
    variant = np.minimum(rng.geometric(0.2, size=len(query)) - 1, _MANY_LISTS - 1)
    lists, which = np.unique(query * _MANY_LISTS + variant, return_inverse=True)
    of_query = lists // _MANY_LISTS
    keys = _standardised(pool.scores)[of_query] + rng.normal(0.0, noise, size=(len(lists), pool.scores.shape[1]))
    order = np.argsort(-keys, axis=1, kind="stable")[:, :n_shown]
    documents = np.take_along_axis(pool.candidates[of_query], order, axis=1)
    grades = np.take_along_axis(pool.grades[of_query], order, axis=1)
    return documents[which], np.where(documents >= 0, grades, -1)[which]


def click(grades: NDArray[np.int64], users: Users, rng: Generator) -> NDArray[np.bool_]:
    """Let users read each page from the top.

    Args:
        grades: Grade of each result in shown order, -1 where there is none, shape (n_serps, n_shown).
        users: Their click model.
        rng: Source of every random choice.

    Returns:
        What they clicked, same shape.
    """
    attractive = np.array([*users.attractiveness, 0.0])[grades]
    satisfying = np.array([*users.satisfaction, 0.0])[grades]
    reading = np.ones(len(grades), dtype=bool)
    clicked = np.zeros(grades.shape, dtype=bool)
    for place in range(grades.shape[1]):
        clicked[:, place] = reading & (rng.random(len(grades)) < attractive[:, place])
        satisfied = clicked[:, place] & (rng.random(len(grades)) < satisfying[:, place])
        reading &= ~satisfied & (rng.random(len(grades)) < users.continuation)
    return clicked


def search_pages(
    pool: Pool, query: NDArray[np.int64], *, users: Users, n_shown: int, noise: float, rng: Generator
) -> Pages:
    """Show a page for each search and let a user click on it."""
    documents, grades = show(pool, query, n_shown=n_shown, noise=noise, rng=rng)
    return Pages(query, documents, click(grades, users, rng))


def robot_pages(pool: Pool, *, n_serps: int, n_shown: int, noise: float, click_rate: float, rng: Generator) -> Pages:
    """Search any query and click on anything, as a robot does."""
    query = rng.integers(0, len(pool.candidates), size=n_serps)
    documents, _ = show(pool, query, n_shown=n_shown, noise=noise, rng=rng)
    return Pages(query, documents, (documents >= 0) & (rng.random(documents.shape) < click_rate))


def _standardised(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bring the scores of each query to mean 0 and standard deviation 1; no candidate stays minus infinity."""
    present = np.isfinite(scores)
    n_present = np.maximum(present.sum(axis=1, keepdims=True), 1)
    finite = np.where(present, scores, 0.0)
    centred = np.where(present, finite - finite.sum(axis=1, keepdims=True) / n_present, 0.0)
    sd = np.sqrt((centred**2).sum(axis=1, keepdims=True) / n_present)
    return np.where(present, centred / np.maximum(sd, 1e-12), -np.inf)


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
class DemoSessions:
    """The session and the time of each search.

    Args:
        session: Session numbers, shape (n_serps,).
        second: Seconds since 1970, shape (n_serps,).
    """

    session: NDArray[np.int64]
    second: NDArray[np.int64]


def people(n_serps: int, rng: Generator) -> DemoSessions:
    """Spread searches over sessions of 1 to 5 searches, by day, within two weeks."""
    lengths = rng.choice(np.arange(1, 6), size=n_serps, p=_SESSION_SHARES)
    session = np.repeat(np.arange(n_serps), lengths)[:n_serps]
    begin = rng.integers(0, _N_DAYS, size=n_serps) * _DAY_S + rng.integers(7 * 3600, 22 * 3600, size=n_serps)
    pause = np.cumsum(rng.integers(15, 300, size=n_serps))
    first = np.searchsorted(session, session, side="left")
    return DemoSessions(session, _FIRST_DAY_S + begin[session] + pause - pause[first])


def robots(n_robots: int, serps_each: int, rng: Generator) -> DemoSessions:
    """Give each robot one session, all of it within one day."""
    session = np.repeat(np.arange(n_robots), serps_each)
    day = np.repeat(rng.integers(0, _N_DAYS, size=n_robots), serps_each)
    within = np.tile(np.arange(serps_each), n_robots) * (_DAY_S // (serps_each + 1))
    return DemoSessions(session, _FIRST_DAY_S + day * _DAY_S + within)


def impressions(
    corpus: str, doc_ids: Sequence[str], parts: Sequence[tuple[Pages, DemoSessions, Sequence[str]]]
) -> pa.Table:
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
