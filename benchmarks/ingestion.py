"""What ingestion costs on raw flat impressions of 1 to 10 million result pages, beside DuckDB: one JSON line a case.

    python benchmarks/ingestion.py --pages 1000000 3000000 10000000
    python benchmarks/ingestion.py --pages 1000000 --cases skew tiny_files

Pages have ten documents and no session; users, addresses and times are known, and 2 % of the pages are of users with
more than a thousand searches a day. `skew` gives 30 % of the pages to one query and 10 % to one user; `tiny_files` cuts
the log into 2,000 files. Each case is a `kedro run --pipelines=ingestion` of its own on two cores with a heap of 1 GB:
seconds, seconds of the processors (other load on the machine counts little), largest resident memory of the driver's
Python, the JVM and one worker, and what Spark shuffled, spilled and sent to the driver. DuckDB, with as many cores and
4 GB (with 1 GB it ran out of memory at a million pages, with 4 GB at three), puts the pages together and does sessions
and the two thresholds of robots alone: it writes the same columns, and neither checks values nor brings queries
together.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import duckdb
from demo_run import copy_project
from scaling import accumulables, watch

DAYS, SHOWN, FILE_PAGES, TINY_FILES = 30, 10, 500_000, 2_000
SPARK = """spark.master: local[2]
spark.driver.memory: 1g
spark.driver.extraJavaOptions: -XX:+UseParallelGC
spark.sql.shuffle.partitions: {partitions}
spark.sql.adaptive.enabled: "true"
spark.eventLog.enabled: "true"
spark.eventLog.compress: "false"
spark.eventLog.rolling.enabled: "false"
spark.eventLog.dir: {events}
spark.local.dir: {scratch}
"""
GLOBALS = """click_log: {{path: {log}, format: parquet, reader: impressions}}
documents: {{path: null}}
reference_judgments: {{path: null}}
"""
PAGES_A_PARTITION = 125_000
METRICS = {
    "shuffled_bytes": "internal.metrics.shuffle.write.bytesWritten",
    "spilled_bytes": "internal.metrics.diskBytesSpilled",
    "result_bytes": "internal.metrics.resultSize",
    "rows_read": "internal.metrics.input.recordsRead",
}


def main() -> None:
    """Measure each case at each size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, nargs="+", default=[1_000_000, 3_000_000, 10_000_000])
    parser.add_argument("--cases", nargs="+", choices=("plain", "skew", "tiny_files"), default=["plain"])
    parser.add_argument("--duckdb", type=Path, nargs=2, metavar=("LOG", "OUT"), help=argparse.SUPPRESS)
    parser.add_argument("--without-duckdb", action="store_true")
    given = parser.parse_args()
    if given.duckdb:
        run_duckdb(*given.duckdb)
        return
    for n_pages in given.pages:
        for case in given.cases:
            with tempfile.TemporaryDirectory(prefix="rankhammer-ingestion-") as folder:
                log = Path(folder) / "log"
                write_log(log, n_pages, case)
                facts = {"benchmark": "ingestion", "case": case, "pages": n_pages}
                print(json.dumps(facts | ours(Path(folder) / "project", log, n_pages)), flush=True)
                if not given.without_duckdb:
                    print(json.dumps(facts | {"of": "duckdb"} | theirs(Path(folder), log, n_pages)), flush=True)


def theirs(folder: Path, log: Path, n_pages: int) -> dict[str, object]:
    """Run DuckDB, and say what it took, or that it ran out of memory."""
    command = [sys.executable, __file__, "--duckdb", str(log), f"{folder}/duckdb.parquet"]
    try:
        found = watch(command, folder)
    except SystemExit:
        return {"failed": "see standard error"}
    return {**found, "cpu_s_a_million": per_million(found["cpu_seconds"], n_pages)}


def write_log(folder: Path, n_pages: int, case: str) -> None:
    """Write impressions, FILE_PAGES pages a file, or in TINY_FILES files."""
    folder.mkdir(parents=True)
    step = max(1, n_pages // TINY_FILES) if case == "tiny_files" else FILE_PAGES
    with duckdb.connect(config={"threads": 2, "memory_limit": "2GB"}) as connection:
        for number, begin in enumerate(range(0, n_pages, step)):
            rows = impressions_sql(begin, min(n_pages, begin + step), n_pages, is_skewed=case == "skew")
            connection.execute(f"COPY ({rows}) TO '{folder}/part-{number:05}.parquet' (COMPRESSION snappy)")


def impressions_sql(begin: int, end: int, n_pages: int, *, is_skewed: bool) -> str:
    """Say which rows pages `begin` to `end` of `n_pages` have; visitors search in bursts of four."""
    n_visitors, n_robots = max(2, n_pages // 20), max(1, n_pages // 75_000)
    busy = "WHEN i % 10 = 3 THEN 'one user'" if is_skewed else ""
    frequent = "i % 10 < 3" if is_skewed else "false"
    return f"""
    WITH pages AS (
        SELECT i, i % 50 = 7 AS is_robot, hash(i) % {n_robots} AS robot, hash(i // 4, 1) % {n_visitors} AS visitor,
            CASE WHEN {frequent} THEN 0 ELSE floor(50000 * pow((hash(i, 2) % 1000000) / 1e6, 3))::BIGINT END AS query
        FROM range({begin}, {end}) AS t(i)
    ), seen AS (
        SELECT *,
            CASE {busy} WHEN is_robot THEN 'robot ' || robot ELSE 'user ' || visitor END AS user_id,
            CASE WHEN is_robot THEN 86400 * (robot % {DAYS}) + hash(i, 3) % 86400
                ELSE hash(i // 4, 4) % {DAYS * 86_400} + (i % 4) * 90 END AS second
        FROM pages
    )
    SELECT 'page ' || i AS serp_id, user_id,
        '10.' || hash(user_id) % 256 || '.' || hash(user_id, 1) % 256 || '.' || hash(user_id, 2) % 256 AS address,
        make_timestamp((1714521600 + second)::BIGINT * 1000000) AS shown_at,
        'product ' || query // 7 || ' shoes ' || query AS query,
        'doc ' || (query * 15 + (position + hash(i, 5) % 3) % 15) AS doc_id, position::INTEGER AS position,
        hash(i, position) % (8 + 6 * position) = 0 AS clicked
    FROM seen, range(1, {SHOWN + 1}) AS p(position)"""


def ours(project: Path, log: Path, n_pages: int) -> dict[str, object]:
    """Run ingestion, and say what it took."""
    project.mkdir()
    copy_project(project)
    events = project / "events"
    events.mkdir()
    partitions = max(8, n_pages // PAGES_A_PARTITION)
    settings = SPARK.format(events=events.as_uri(), scratch=project / "scratch", partitions=partitions)
    (project / "conf/local/spark.yml").write_text(settings)
    (project / "conf/local/globals.yml").write_text(GLOBALS.format(log=log))
    facts = watch([sys.executable, "-m", "kedro", "run", "--pipelines=ingestion"], project)
    report = json.loads((project / "data/08_reporting/ingestion_report.json").read_text())["corpora"]["main"]
    counted = {name: report[name] for name in ("n_read", "n_serps", "n_robot_serps", "n_sessions", "n_clusters")}
    spent = {
        "pages_a_second": round(n_pages / facts["seconds"]),
        "cpu_s_a_million": per_million(facts["cpu_seconds"], n_pages),
    }
    return {**facts, **spent, **totals(events), **counted}


def per_million(seconds: float, n_pages: int) -> float:
    return round(seconds / n_pages * 1e6, 1)


def totals(events: Path) -> dict[str, int]:
    """Add up what the event logs say."""
    found = dict.fromkeys(METRICS, 0)
    names = {theirs: ours for ours, theirs in METRICS.items()}
    for log in events.iterdir():
        with log.open() as lines:
            for entry in (entry for line in lines for entry in accumulables(line)):
                if entry["Name"] in names:
                    found[names[entry["Name"]]] += int(entry["Value"])
    return found


def run_duckdb(log: Path, out: Path) -> None:
    """Do sessions and the thresholds of robots, and write the pages that are left."""
    with duckdb.connect(config={"threads": 2, "memory_limit": "4GB", "preserve_insertion_order": False}) as connection:
        connection.execute(f"SET temp_directory = '{out.parent}/duckdb_scratch'")
        connection.execute(f"""COPY (
        WITH pages AS (
            SELECT serp_id, min(user_id) AS user_id, min(address) AS address, min(shown_at) AS shown_at,
                min(query) AS query, list(doc_id ORDER BY position) AS doc_ids,
                list(clicked ORDER BY position) AS clicked
            FROM '{log}/*.parquet' GROUP BY serp_id
        ), counted AS (
            SELECT *, count(*) OVER (PARTITION BY user_id, shown_at::DATE) AS of_user,
                count(*) OVER (PARTITION BY address, shown_at::DATE) AS of_address
            FROM pages
        ), started AS (
            SELECT *, coalesce(shown_at - lag(shown_at) OVER visits >= INTERVAL 1800 SECOND, true) AS is_start
            FROM counted WHERE of_user < 1000 AND of_address < 50
            WINDOW visits AS (PARTITION BY user_id ORDER BY shown_at)
        )
        SELECT serp_id, query, shown_at, doc_ids, clicked, sha256(user_id || '#' || max(CASE WHEN is_start THEN shown_at
            END) OVER (PARTITION BY user_id ORDER BY shown_at)) AS session_id
        FROM started) TO '{out}' (FORMAT parquet)""")


if __name__ == "__main__":
    main()
