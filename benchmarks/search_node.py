"""Feature values per second from a real node, beside the node's own ceiling, and what a polite run does to others.

    python benchmarks/search_node.py                      # starts an OpenSearch node of its own
    python benchmarks/search_node.py --url http://127.0.0.1:9200
    python benchmarks/search_node.py --env cranfield --input data/01_raw/cranfield --corpus cranfield --queries 1000

Documents, queries and feature set are the demo's (Python's standard library, short queries), or an environment's; see
benchmarks/cranfield.py for whole questions against abstracts. Where the log has too few queries, words of it are put
together to as many more, as long as those are. Prints one JSON line each:

- ceiling: a bare client replays the stage's very searches over kept-alive connections and does not look at the answers
- greedy: the feature source as the stage uses it, judgments to Parquet, `pace: greedy`; `share_of_ceiling` is the ratio
- polite: the 95 % quantile of a probe that searches all the time, alone and beside a run with `pace: polite`

Both sides are warm before anything counts: the node is asked until two replays take as long, for its JVM compiles for a
minute, and the stage runs twice in a Spark that compiles with all it has, as conf/prod's does. Then ceiling and greedy
take turns, one right after the other, since machines are not as fast at every minute: the turn whose ratio is the
median counts, and `shares` has those of all. `cpu_s` are seconds of CPU in it by process: the node, Spark's JVM, its
Python workers and this process (the bare client). On one machine they share its cores.

A value is one that the node computes: query lengths and expressions are not counted.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import shutil
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import yaml

sys.path.append(str(Path(__file__).parents[1] / "dev"))
import engine_node
import load_documents
import watchdog

from rankhammer import plugins
from rankhammer import spark as spark_provider
from rankhammer.demo import make_demo
from rankhammer.feature_sets import Expression, FeatureSet, QueryLength
from rankhammer.feature_sources.remote.named_queries import search_body, search_path
from rankhammer.feature_sources.remote.options import SearchOptions
from rankhammer.plugins import PluginSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Timed = tuple[float, dict[str, float]]
    """Seconds, and seconds of CPU by kind of process."""

CONF = Path(__file__).parents[1] / "conf"
TEXT_FIELD = "{field}.{analyzer}"
IN_FLIGHT, PROBE_PAUSE_S, PROBE_S = 8, 0.02, 10.0
# The probe is another user's load, and known to be there.
POLITE = {"pace": "polite", "max_other_searches_per_s": 1000}
WARM_RUNS, TURNS, MOST_REPLAYS, STEADY = 2, 5, 12, 0.05
FULL_COMPILER = {"spark.driver.extraJavaOptions": "-XX:+UseSerialGC"}
"""In place of conf/base's first tier, which is for runs of a minute."""


def main() -> None:
    given = parse()
    with TemporaryDirectory() as name, node(given) as url:
        folder = Path(name)
        source = given.input or folder / "demo"
        if not given.input:
            make_demo(source, random_state=42)
        load_documents.load(url, str(source / "documents"))
        searches = make_searches(source, given.corpus, given.queries, given.documents)
        write_pairs(searches, given.corpus, folder)
        open_session()
        for figures in measure(url, given, searches, folder):
            print(json.dumps({"benchmark": "search_node", **figures}), flush=True)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a running OpenSearch node; it gets the demo's indices")
    parser.add_argument("--version", default="3.6.0", help="of the node that is started")
    parser.add_argument("--env", default="base", help="environment whose feature set is asked")
    parser.add_argument("--input", type=Path, help="folder with documents and click_log in Parquet; else the demo's")
    parser.add_argument("--corpus", default="stdlib", help="which one of the input is asked")
    parser.add_argument("--queries", type=int, default=4000)
    parser.add_argument("--documents", type=int, default=100, help="documents asked for a query")
    return parser.parse_args()


@contextmanager
def node(given: argparse.Namespace) -> Iterator[str]:
    """Yield the address of the node that is there, or of one of our own for as long as it is needed."""
    if given.url:
        yield given.url
        return
    folder = Path(gettempdir()) / f"rankhammer-bench-node-{os.getpid()}"
    watchdog.start()
    try:
        yield engine_node.start(folder, "opensearch", given.version, 19400, java_options="")
    finally:
        engine_node.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def make_searches(source: Path, corpus: str, n_queries: int, n_documents: int) -> list[tuple[str, list[str]]]:
    """Pair the log's queries, and more of its words, with random documents."""
    rng = np.random.default_rng(5)
    of_corpus = ds.field("corpus") == corpus
    ids = ds.dataset(source / "documents").to_table(filter=of_corpus)["doc_id"].to_pylist()
    asked = sorted(set(ds.dataset(source / "click_log").to_table(filter=of_corpus)["query"].to_pylist()))
    words = sorted({word for query in asked for word in query.split()})
    lengths = rng.choice([len(query.split()) for query in asked], 2 * n_queries)
    more = sorted({" ".join(rng.choice(words, min(n, len(words)), replace=False)) for n in lengths} - set(asked))
    # Sorted they would begin with the same word.
    queries = (asked + [str(query) for query in rng.permutation(more)])[:n_queries]
    return [(query, sorted(map(str, rng.choice(ids, n_documents, replace=False)))) for query in queries]


def write_pairs(searches: list[tuple[str, list[str]]], corpus: str, folder: Path) -> None:
    """Write the pairs as the stage gets them."""
    pairs = [(query, doc) for query, docs in searches for doc in docs]
    rows = {"corpus": [corpus] * len(pairs), "query": [q for q, _ in pairs], "doc_id": [doc for _, doc in pairs]}
    pq.write_table(pa.table(rows), folder / "pairs.parquet", row_group_size=50_000)


def read_feature_set(env: str) -> FeatureSet:
    """Read an environment's feature set, or the one of base where it has none of its own."""
    own = CONF / env / "parameters/feature_set.yml"
    file = own if own.exists() else CONF / "base/parameters/feature_set.yml"
    return FeatureSet.model_validate(yaml.safe_load(file.read_text())["feature_set"])


def open_session() -> None:
    settings = yaml.safe_load((CONF / "base/spark.yml").read_text())
    spark_provider.configure(lambda: {**settings, **FULL_COMPILER, "spark.master": "local[2]"})
    spark_provider.session().range(1).count()


def measure(
    url: str, given: argparse.Namespace, searches: list[tuple[str, list[str]]], folder: Path
) -> Iterator[dict[str, Any]]:
    feature_set = read_feature_set(given.env)
    n_asked = sum(not isinstance(feature, QueryLength | Expression) for feature in feature_set.features)
    n_values = n_asked * sum(len(docs) for _, docs in searches)
    located = SearchOptions(url=url, text_field=TEXT_FIELD).locate(feature_set)
    bodies = [body_of(located, *search) for search in searches]
    at = url + search_path(SearchOptions(url=url), given.corpus)
    warm(lambda: replay(at, bodies))
    greedily = partial(collect, url, feature_set, folder, pace="greedy", max_in_flight=IN_FLIGHT)
    for _ in range(WARM_RUNS):
        greedily()
    turns = sorted(((timed(lambda: replay(at, bodies)), timed(greedily)) for _ in range(TURNS)), key=share)
    (ceiling, node_cpu), (greedy, all_cpu) = turns[TURNS // 2]
    per_s = {"seconds": ceiling, "values_per_s": round(n_values / ceiling)}
    yield {"what": "ceiling", "values": n_values, **per_s, "cpu_s": node_cpu}
    per_s = {"seconds": greedy, "values_per_s": round(n_values / greedy)}
    shares = [round(share(turn), 3) for turn in turns]
    yield {"what": "greedy", **per_s, "share_of_ceiling": shares[TURNS // 2], "shares": shares, "cpu_s": all_cpu}
    seconds, before, beside = politeness(at, bodies[:200], lambda: collect(url, feature_set, folder, **POLITE))
    per_s = {"seconds": seconds, "values_per_s": round(n_values / seconds)}
    ratio = round(beside / before, 2)
    yield {"what": "polite", **per_s, "probe_p95_ms_alone": before, "probe_p95_ms_beside": beside, "ratio": ratio}


def share(turn: tuple[Timed, Timed]) -> float:
    """Return how much of the ceiling's pace a greedy run right after it kept."""
    (ceiling, _), (greedy, _) = turn
    return ceiling / greedy


def body_of(feature_set: FeatureSet, query: str, docs: list[str]) -> bytes:
    return json.dumps(search_body(feature_set, query, docs)).encode()


def timed(work: Callable[[], None]) -> Timed:
    """Return the seconds that some work takes, and the seconds of CPU that each kind of process spends meanwhile."""
    before, began = cpu_seconds(), time.perf_counter()
    work()
    seconds, after = time.perf_counter() - began, cpu_seconds()
    return round(seconds, 2), {kind: round(after[kind] - before.get(kind, 0.0), 1) for kind in sorted(after)}


def warm(work: Callable[[], None]) -> None:
    """Repeat some work until it takes as long as the time before."""
    last = math.inf
    for _ in range(MOST_REPLAYS):
        seconds, _ = timed(work)
        if abs(seconds - last) < STEADY * seconds:
            return
        last = seconds


def cpu_seconds() -> dict[str, float]:
    """Return seconds of CPU so far of this process, its JVM and workers, and every search node on the machine."""
    me, found = psutil.Process(), dict[str, float]()
    mine = me.children(recursive=True)
    kinds = {process: "jvm" if process.name() == "java" else "workers" for process in mine}
    kinds |= {process: "node" for process in psutil.process_iter() if is_node(process)}
    for process, kind in [*kinds.items(), (me, "client")]:
        with suppress(psutil.Error):
            spent = process.cpu_times()
            found[kind] = found.get(kind, 0.0) + spent.user + spent.system
    return found


def is_node(process: psutil.Process) -> bool:
    try:
        return process.name() == "java" and "org.opensearch.bootstrap.OpenSearch" in process.cmdline()
    except psutil.Error:
        return False


def replay(at: str, bodies: list[bytes]) -> None:
    """Send the bodies to an address over kept-alive connections, as fast as the node answers."""
    waiting = iter(bodies)
    lock = threading.Lock()

    def work(_: int) -> None:
        ask = asker(at)
        while True:
            with lock:
                body = next(waiting, None)
            if body is None:
                return
            ask(body)

    with ThreadPoolExecutor(IN_FLIGHT) as pool:
        list(pool.map(work, range(IN_FLIGHT)))


def asker(at: str) -> Any:
    address = urlsplit(at)
    connection = http.client.HTTPConnection(address.netloc, timeout=60)

    def ask(body: bytes) -> None:
        connection.request("POST", f"{address.path}?{address.query}", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(answer.read()[:300])
        answer.read()

    return ask


def collect(url: str, feature_set: FeatureSet, folder: Path, **options: Any) -> None:
    given = {"url": url, "text_field": TEXT_FIELD, "progress": str(folder / "progress"), **options}
    source = plugins.create("feature_sources", PluginSpec(name="opensearch", options=given))
    rows = spark_provider.session().read.parquet(str(folder / "pairs.parquet"))
    shutil.rmtree(folder / "progress", ignore_errors=True)
    source.collect(rows, documents=None, feature_set=feature_set).write.mode("overwrite").parquet(str(folder / "out"))


def politeness(at: str, bodies: list[bytes], work: Callable[[], None]) -> tuple[float, float, float]:
    """Return the seconds of polite work, and the probe's 95 % quantile alone and beside it, in milliseconds."""
    alone = probe(at, bodies, threading.Event(), PROBE_S)
    ended, beside = threading.Event(), []
    probing = threading.Thread(target=lambda: beside.extend(probe(at, bodies, ended, 3600)))
    probing.start()
    seconds, _ = timed(work)
    ended.set()
    probing.join()
    before, during = (round(1000 * float(np.quantile(times, 0.95)), 1) for times in (alone, beside))
    return seconds, before, during


def probe(at: str, bodies: list[bytes], ended: threading.Event, longest_s: float) -> list[float]:
    ask, times, until = asker(at), [], time.monotonic() + longest_s
    while not ended.wait(PROBE_PAUSE_S) and time.monotonic() < until:
        began = time.perf_counter()
        ask(bodies[len(times) % len(bodies)])
        times.append(time.perf_counter() - began)
    return times


if __name__ == "__main__":
    main()
