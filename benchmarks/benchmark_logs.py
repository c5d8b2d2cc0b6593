"""Click logs for the benchmarks: simulated ones of any size, and the split of Yandex' sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path

CONTINUATION, N_QUERIES, N_DOCS, SHOWN, N_LISTS, LIST_SHARE = 0.9, 50_000, 15, 10, 20, 0.35
CHUNK_SERPS = 500_000


@dataclass(frozen=True)
class World:
    """What a DBN is simulated with.

    Args:
        attractiveness: Probabilities of shape (queries, documents).
        satisfaction: Probabilities of shape (queries, documents).
        ranked: Documents of each list, shape (queries, lists, SHOWN).
        list_share: How likely the first list of a query is, then the second of the rest, ...
    """

    attractiveness: Any
    satisfaction: Any
    ranked: Any
    list_share: float


def write_simulated_log(folder: Path, n_serps: int, seed: int = 7) -> Path:
    """Simulate a DBN: Zipf queries, up to 20 noisy lists each; the first three quarters are train, the rest test."""
    rng = np.random.default_rng(seed)
    query = rng.choice(N_QUERIES, size=n_serps, p=popularity(N_QUERIES)).astype(np.int32)
    attractiveness = rng.beta(1.0, 3.0, size=(N_QUERIES, N_DOCS))
    satisfaction = rng.beta(2.0, 2.0, size=(N_QUERIES, N_DOCS))
    which = np.minimum(rng.geometric(LIST_SHARE, size=n_serps) - 1, N_LISTS - 1)
    lists, list_of_serp = np.unique(query.astype(np.int64) * N_LISTS + which, return_inverse=True)
    merit = np.log(attractiveness * satisfaction + 1e-3)[lists // N_LISTS]
    ranked = np.argsort(-(merit + rng.normal(0, 1.0, size=merit.shape)), axis=1)[:, :SHOWN]
    docs = ranked[list_of_serp]
    clicked = simulate_clicks(rng, attractiveness[query[:, None], docs], satisfaction[query[:, None], docs])
    n_train = n_serps * 3 // 4
    write_serps(folder / "train", query[:n_train], docs[:n_train], clicked[:n_train])
    write_serps(folder / "test", query[n_train:], docs[n_train:], clicked[n_train:])
    return folder


def write_large_log(folder: Path, n_serps: int, seed: int = 7) -> Path:
    """Write train/ of the same distribution, any number of pages: one file per chunk, one chunk in memory."""
    world = make_world(seed, n_queries=N_QUERIES, n_docs=N_DOCS, n_lists=N_LISTS, list_share=LIST_SHARE)
    return write_chunks(folder, world, n_serps, seed)


def write_giant_query(folder: Path, n_serps: int, seed: int = 7) -> Path:
    """Write train/ of one query only: 100 documents in up to 5,000 lists, a few of which most people see."""
    world = make_world(seed, n_queries=1, n_docs=100, n_lists=5000, list_share=0.001)
    return write_chunks(folder, world, n_serps, seed)


def popularity(n_queries: int) -> Any:
    weight = 1 / (np.arange(n_queries) + 5.0) ** 0.9
    return weight / weight.sum()


def make_world(seed: int, *, n_queries: int, n_docs: int, n_lists: int, list_share: float) -> World:
    """Draw what does not depend on the number of pages, one list of every query at a time to bound memory."""
    rng = np.random.default_rng(seed)
    attractiveness = rng.beta(1.0, 3.0, size=(n_queries, n_docs))
    satisfaction = rng.beta(2.0, 2.0, size=(n_queries, n_docs))
    merit = np.log(attractiveness * satisfaction + 1e-3)
    ranked = np.empty((n_queries, n_lists, SHOWN), np.int8)
    for number in range(n_lists):
        noisy = merit + rng.normal(0, 1.0, size=merit.shape)
        ranked[:, number] = np.argsort(-noisy, axis=1)[:, :SHOWN]
    return World(attractiveness, satisfaction, ranked, list_share)


def write_chunks(folder: Path, world: World, n_serps: int, seed: int) -> Path:
    n_queries, n_lists, _ = world.ranked.shape
    share = popularity(n_queries)
    for number, begin in enumerate(range(0, n_serps, CHUNK_SERPS)):
        rng = np.random.default_rng([seed, number])
        n = min(CHUNK_SERPS, n_serps - begin)
        query = rng.choice(n_queries, size=n, p=share)
        which = np.minimum(rng.geometric(world.list_share, size=n) - 1, n_lists - 1)
        docs = world.ranked[query, which].astype(np.int64)
        cells = (query[:, None], docs)
        clicked = simulate_clicks(rng, world.attractiveness[cells], world.satisfaction[cells])
        write_serps(folder / "train", query, docs, clicked, world=world, begin=begin)
    return folder


def simulate_clicks(rng: np.random.Generator, attractiveness: Any, satisfaction: Any) -> Any:
    examined = np.ones(len(attractiveness), bool)
    clicked = np.zeros(attractiveness.shape, bool)
    for place in range(SHOWN):
        clicked[:, place] = examined & (rng.random(len(examined)) < attractiveness[:, place])
        satisfied = clicked[:, place] & (rng.random(len(examined)) < satisfaction[:, place])
        examined = examined & ~satisfied & (rng.random(len(examined)) < CONTINUATION)
    return clicked


def write_serps(folder: Path, query: Any, docs: Any, clicked: Any, world: World | None = None, begin: int = 0) -> None:
    n_queries, n_docs = world.attractiveness.shape if world else (N_QUERIES, N_DOCS)
    names = pa.array([f"q{number}" for number in range(n_queries)])
    doc_names = pa.array([f"q{number}d{doc}" for number in range(n_queries) for doc in range(n_docs)])
    flat = doc_names.take(pa.array((query[:, None].astype(np.int64) * n_docs + docs).ravel()))
    offsets = pa.array(np.arange(0, docs.size + 1, SHOWN, dtype=np.int32))
    write_table(
        folder,
        queries=names.take(pa.array(query)),
        doc_ids=pa.ListArray.from_arrays(offsets, flat),
        clicked=pa.ListArray.from_arrays(offsets, pa.array(clicked.ravel())),
        begin=begin,
    )


def write_table(folder: Path, *, queries: pa.Array, doc_ids: pa.Array, clicked: pa.Array, begin: int = 0) -> None:
    """Write the `serps` hand-off with one corpus; `begin` is the number of its first page."""
    n = len(queries)
    ids = pa.array([f"s{number}" for number in range(begin, begin + n)])
    columns = {
        "corpus": pa.array(["main"]).take(pa.array(np.zeros(n, np.int64))),
        "serp_id": ids,
        "session_id": ids,
        "query": queries,
        "normalized_query": queries,
        "query_cluster_id": queries,
        "shown_at": pa.array(np.arange(begin, begin + n) * 1_000_000, pa.timestamp("us", tz="UTC")),
        "doc_ids": doc_ids,
        "clicked": clicked,
    }
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), folder / f"part-{begin:010d}.parquet", row_group_size=100_000)


def write_yandex_split(data: Path, folder: Path) -> Path:
    """Write the split that published figures refer to: both files in order, permuted by RandomState(42), 3/4 train."""
    text = ";".join((data / name).read_text().replace("\n", ";") for name in ("trainSample", "testSample"))
    serps = [parse_record(record) for record in text.split(";") if record.strip()]
    order = np.random.RandomState(42).permutation(len(serps))
    n_train = int(len(serps) * 0.75)
    for name, places in (("train", order[:n_train]), ("test", order[n_train:])):
        queries, docs, clicked = zip(*(serps[place] for place in places), strict=True)
        write_table(folder / name, queries=pa.array(queries), doc_ids=pa.array(docs), clicked=pa.array(clicked))
    return folder


def parse_record(record: str) -> tuple[str, list[str], list[bool]]:
    shown, _, clicks = record.strip().partition(":")
    query, docs = shown.strip().split("\t")
    chosen = {click.strip() for click in clicks.split(",")}
    doc_ids = docs.strip().split(",")
    return query, doc_ids, [doc in chosen for doc in doc_ids]
