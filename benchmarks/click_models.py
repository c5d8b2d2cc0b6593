"""Time and quality of the click models: a simulated DBN log (Parquet to judgments) and, if given, Yandex's clicks.

Usage: python benchmarks/click_models.py [--log DIR] [--yandex DIR] [--serps N] [--repeats N] [--models dbn,dctr]

--log     a folder with train/ and test/ in the shape of the `serps` hand-off; without it a log of --serps pages is made
--yandex  a folder with trainSample and testSample of the Yandex WSCD sample (`query TAB docs : clicked docs ;`)

Prints one JSON line a measurement. The clock starts when the session is up, and stops when the judgments are written:
reading, shuffling and fitting are in between. `cpu_s` is the processor time of the same work, which other programs on
the machine disturb less; `load` is the machine's load average at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from pyspark.sql import functions as F

from rankhammer import click_models, plugins
from rankhammer import spark as spark_provider
from rankhammer.plugins import Choice

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

REPOSITORY = Path(__file__).parents[1]
SETTINGS = {"spark.master": "local[2]", "spark.driver.extraJavaOptions": "-XX:+UseParallelGC"}
"""Beside conf/base/spark.yml: as for a log of this size, the JVM compiles with all it has."""

LIMITS = {"sample_serps": 100_000, "min_examined": 1.0}
CONTINUATION, N_QUERIES, N_DOCS, SHOWN, N_LISTS = 0.9, 50_000, 15, 10, 20
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def main() -> None:
    arguments = parse()
    settings = yaml.safe_load((REPOSITORY / "conf/base/spark.yml").read_text())
    spark_provider.configure(lambda: {**settings, **SETTINGS})
    spark_provider.session().range(1).count()
    with TemporaryDirectory() as folder:
        log = arguments.log or write_simulated_log(Path(folder, "log"), arguments.serps)
        for model in arguments.models.split(","):
            measure("simulated", model, log, Path(folder), arguments.repeats)
        if arguments.yandex:
            yandex = write_yandex_split(arguments.yandex, Path(folder, "yandex"))
            for model in arguments.models.split(","):
                measure("yandex", model, yandex, Path(folder), 1)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--log", type=Path)
    parser.add_argument("--yandex", type=Path)
    parser.add_argument("--serps", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--models", default="dbn")
    return parser.parse_args()


def measure(name: str, model: str, log: Path, folder: Path, repeats: int) -> None:
    times = [judge(model, log, folder / "judgments") for _ in range(repeats)]
    figures = {
        "benchmark": "click_models",
        "input": name,
        "model": model,
        "seconds": min(wall for wall, _ in times),
        "all_seconds": [wall for wall, _ in times],
        "cpu_s": min(cpu for _, cpu in times),
        **quality(model, log),
        "load": round(os.getloadavg()[0], 2),
    }
    print(json.dumps(figures), flush=True)


def judge(model: str, log: Path, judgments: Path) -> tuple[float, float]:
    """Fit and write once: (wall seconds, processor seconds)."""
    session = spark_provider.session()
    wall, cpu = time.perf_counter(), processor_seconds()
    fitted = fit(model, session.read.parquet(str(log / "train")))
    cuts = click_models.cuts_by_corpus(
        "quantiles", max_grade=4, cuts=[], relevance_quantiles=fitted.relevance_quantiles
    )
    judged = click_models.judge(fitted.parameters, cuts=cuts, min_examined=1.0, weighting="equal")
    judged.write.mode("overwrite").parquet(str(judgments))
    taken = round(time.perf_counter() - wall, 2), round(processor_seconds() - cpu, 2)
    session.catalog.clearCache()
    return taken


def fit(model: str, serps: DataFrame) -> click_models.FittedClickModel:
    return click_models.fit(plugins.create("click_models", Choice(name=model)), serps, **LIMITS)


def quality(model: str, log: Path) -> dict[str, Any]:
    """Mean log-likelihood per document on the test part, by the public verbs."""
    session = spark_provider.session()
    fitted = fit(model, session.read.parquet(str(log / "train")))
    predicted = click_models.predict_conditional_clicks(fitted, session.read.parquet(str(log / "test")))
    cells = predicted.select(F.explode(F.arrays_zip("clicked", "conditional_click_probabilities")).alias("cell"))
    p = F.col("cell.conditional_click_probabilities")
    surprise = F.avg(F.log(F.when(F.col("cell.clicked"), p).otherwise(1 - p)))
    [row] = cells.select(surprise.alias("log_likelihood")).collect()
    session.catalog.clearCache()
    [shared] = fitted.corpora.values()
    found = {key: round(value, 5) for key, value in shared.parameters.items()}
    return {"log_likelihood": round(row["log_likelihood"], 5), **found}


def processor_seconds() -> float:
    """Processor time of this process and everything below it: the JVM and the Python workers."""
    stats = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        stats[int(path.parent.name)] = (int(fields[1]), sum(map(int, fields[11:15])))
    mine = {os.getpid()}
    while more := {pid for pid, (parent, _) in stats.items() if parent in mine} - mine:
        mine |= more
    return sum(stats[pid][1] for pid in mine if pid in stats) * TICK_S


def write_simulated_log(folder: Path, n_serps: int, seed: int = 7) -> Path:
    """Simulate a DBN: Zipf queries, up to 20 noisy lists each; the first three quarters are train, the rest test."""
    rng = np.random.default_rng(seed)
    popularity = 1 / (np.arange(N_QUERIES) + 5.0) ** 0.9
    query = rng.choice(N_QUERIES, size=n_serps, p=popularity / popularity.sum()).astype(np.int32)
    attractiveness = rng.beta(1.0, 3.0, size=(N_QUERIES, N_DOCS))
    satisfaction = rng.beta(2.0, 2.0, size=(N_QUERIES, N_DOCS))
    which = np.minimum(rng.geometric(0.35, size=n_serps) - 1, N_LISTS - 1)
    lists, list_of_serp = np.unique(query.astype(np.int64) * N_LISTS + which, return_inverse=True)
    merit = np.log(attractiveness * satisfaction + 1e-3)[lists // N_LISTS]
    ranked = np.argsort(-(merit + rng.normal(0, 1.0, size=merit.shape)), axis=1)[:, :SHOWN]
    docs = ranked[list_of_serp]
    clicked = simulate_clicks(rng, attractiveness[query[:, None], docs], satisfaction[query[:, None], docs])
    n_train = n_serps * 3 // 4
    write_serps(folder / "train", query[:n_train], docs[:n_train], clicked[:n_train])
    write_serps(folder / "test", query[n_train:], docs[n_train:], clicked[n_train:])
    return folder


def simulate_clicks(rng: np.random.Generator, attractiveness: Any, satisfaction: Any) -> Any:
    examined = np.ones(len(attractiveness), bool)
    clicked = np.zeros(attractiveness.shape, bool)
    for place in range(SHOWN):
        clicked[:, place] = examined & (rng.random(len(examined)) < attractiveness[:, place])
        satisfied = clicked[:, place] & (rng.random(len(examined)) < satisfaction[:, place])
        examined = examined & ~satisfied & (rng.random(len(examined)) < CONTINUATION)
    return clicked


def write_serps(folder: Path, query: Any, docs: Any, clicked: Any) -> None:
    names = pa.array([f"q{number}" for number in range(N_QUERIES)])
    doc_names = pa.array([f"q{number}d{doc}" for number in range(N_QUERIES) for doc in range(N_DOCS)])
    flat = doc_names.take(pa.array((query[:, None].astype(np.int64) * N_DOCS + docs).ravel()))
    offsets = pa.array(np.arange(0, docs.size + 1, SHOWN, dtype=np.int32))
    write_table(
        folder,
        queries=names.take(pa.array(query)),
        doc_ids=pa.ListArray.from_arrays(offsets, flat),
        clicked=pa.ListArray.from_arrays(offsets, pa.array(clicked.ravel())),
    )


def write_table(folder: Path, *, queries: pa.Array, doc_ids: pa.Array, clicked: pa.Array) -> None:
    """Write the `serps` hand-off with one corpus."""
    n = len(queries)
    ids = pa.array([f"s{number}" for number in range(n)])
    columns = {
        "corpus": pa.array(["main"]).take(pa.array(np.zeros(n, np.int64))),
        "serp_id": ids,
        "session_id": ids,
        "query": queries,
        "normalized_query": queries,
        "query_cluster_id": queries,
        "shown_at": pa.array(np.arange(n) * 1_000_000, pa.timestamp("us", tz="UTC")),
        "doc_ids": doc_ids,
        "clicked": clicked,
    }
    folder.mkdir(parents=True)
    pq.write_table(pa.table(columns), folder / "part.parquet", row_group_size=100_000)


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


if __name__ == "__main__":
    main()
