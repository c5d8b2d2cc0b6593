"""Any log ends in counts that add up or in an error for its user, and what nobody touched comes out as it was."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from fuzzing.hostile_logs import UNLIMITED, make_case, store
from fuzzing.log_files import LOAD_ARGS
from fuzzing.outcomes import in_time, outcome, writes_only
from fuzzing.sane_logs import pages
from fuzzing.seeds import numbered, rng_of

from rankhammer.datasets import LogDataset, TableDataset
from rankhammer.pipelines.ingestion.nodes import ingest, report_ingestion
from rankhammer.pipelines.ingestion.params import IngestionParams
from rankhammer.runs.execute import table_digest

if TYPE_CHECKING:
    from fuzzing.hostile_logs import Case
    from pyspark.sql import DataFrame

CONF = Path(__file__).parents[2] / "conf" / "base" / "parameters" / "ingestion.yml"
MAX_S = 90.0
"""A log of visitors without sessions takes a dozen small Spark jobs."""


@dataclass
class Ingested:
    """What ingestion made of a log."""

    counts: dict[str, dict[str, Any]]
    failed: list[str]
    rows: list[Any]
    digest: tuple[int, str]


@pytest.fixture(autouse=True)
def _as_conf_sets_spark(spark):
    """Times in nanoseconds come as whole numbers, as conf/base/spark.yml says; nothing is kept between cases."""
    key = "spark.sql.legacy.parquet.nanosAsLong"
    spark.conf.set(key, "true")
    yield
    spark.conf.unset(key)
    spark.catalog.clearCache()


@cache
def ingestion_params(reader: str, max_bad_share: float) -> IngestionParams:
    values = yaml.safe_load(CONF.read_text())["ingestion"]
    bounds = {"max_bad_share": max_bad_share, "max_serps_per_day": 20, "max_clicks_outside": 0.9}
    return IngestionParams.model_validate(values | bounds | {"reader": {"name": reader, "options": {}}})


def ingested(raw: DataFrame, reader: str, max_bad_share: float, root: Path | None = None) -> Ingested:
    """Ingest a log as the stage does; with a root, through the hand-off that it writes."""
    serps, _, failures, counts, _ = ingest(raw, ingestion_params(reader, max_bad_share), "english", None)
    if root is not None:
        written = TableDataset(filepath=f"{root}/serps", save_args={"partitionBy": ["corpus"]})
        written.save(serps)
        report_ingestion(written.load(), failures, counts)
        assert table_digest(written.load()) == table_digest(serps)
    rows = serps.select("corpus", "query", "doc_ids", "clicked").collect()
    return Ingested(counts, [failure["corpus"] for failure in failures], rows, table_digest(serps))


@numbered(130)
def test_a_log_of_any_content_ends_in_counts_that_add_up_or_in_an_error_for_the_user(spark, place, number):
    rng = rng_of("logs", number)
    case = make_case(rng, number)
    max_bad_share, is_written = (
        rng.choice([0.05, 0.5, 1.0, 1.0]),
        rng.random() < 0.2 or "corpus of" in str(case.changes),
    )
    print(case.log.reader, case.file_format, max_bad_share, case.columns, *case.changes, *case.files, sep="\n")  # noqa: T201
    store(case, place / "log")
    load_args = LOAD_ARGS.get(case.file_format, {})
    dataset = LogDataset(filepath=str(place / "log"), file_format=case.file_format, load_args=load_args)
    root = place / "root" if is_written else None
    with in_time(MAX_S), writes_only(place, place / "root"):
        found, error = outcome(lambda: _read_and_ingested(dataset, case, max_bad_share, root))
        again, other_error = outcome(lambda: _permuted(dataset, case, max_bad_share, seed=number))
    if found is None:
        assert type(error) is type(other_error)
        return
    assert (again.counts, again.failed, again.digest) == (found.counts, found.failed, found.digest)
    require_balance(found)
    require_no_more_clicks(found, case)
    require_untouched_pages(found, case)


def _read_and_ingested(dataset: LogDataset, case: Case, max_bad_share: float, root: Path | None) -> Ingested:
    dataset.require_found()
    raw = dataset.load()
    if case.rows_are_known:
        assert raw.count() == len(case.log.rows), "rows were lost, or made, when the file was read"
    return ingested(raw, case.log.reader, max_bad_share, root)


def _permuted(dataset: LogDataset, case: Case, max_bad_share: float, seed: int) -> Ingested:
    from pyspark.sql import functions as F

    return ingested(dataset.load().repartition(3, F.rand(seed)), case.log.reader, max_bad_share)


def require_balance(found: Ingested) -> None:
    """Every page that was read is kept, set aside or a robot's, and what is kept is what is counted."""
    for corpus, counts in found.counts.items():
        left_out = sum(counts["set_aside"].values()) + counts["n_robot_serps"] + counts["n_abandoned"]
        assert counts["n_read"] == counts["n_serps"] + left_out
        kept = [row for row in found.rows if row["corpus"] == corpus]
        if corpus in found.failed:
            assert not kept
        else:
            assert (len(kept), sum(map(_n_clicks, kept))) == (counts["n_serps"], counts["n_clicks"])
    assert {row["corpus"] for row in found.rows} <= found.counts.keys()


def require_no_more_clicks(found: Ingested, case: Case) -> None:
    """A change of a log adds no clicks but its own."""
    if case.may_add < UNLIMITED:
        sane = sum(sum(page.clicked) for page in pages())
        assert sum(map(_n_clicks, found.rows)) <= sane + case.may_add


def require_untouched_pages(found: Ingested, case: Case) -> None:
    """Pages that were not changed are kept as they were, unless their whole corpus was given up."""
    known = {page.query: page for page in pages() if page.number not in case.touched}
    names_corpora = case.log.reader != "yandex_wscd"
    kept = {row["query"]: row for row in found.rows if row["query"] in known}
    for query, page in known.items():
        corpus = page.corpus if names_corpora else "main"
        if corpus not in found.failed:
            assert query in kept, f"page {page.number} is lost"
            row = kept[query]
            assert (row["corpus"], row["doc_ids"], row["clicked"]) == (corpus, page.docs, page.clicked)


def _n_clicks(row: Any) -> int:
    return sum(map(bool, row["clicked"]))


@pytest.mark.parametrize("reader", ["impressions", "serps", "ubi", "yandex_wscd"])
def test_the_log_that_cases_are_made_from_is_kept_whole(spark, place, reader):
    from fuzzing.hostile_logs import FORMATS, Case, _write
    from fuzzing.sane_logs import sane_log

    for file_format in FORMATS[reader]:
        log = sane_log(reader)
        case = Case(log, file_format, list(log.kinds))
        _write(case, rng_of(reader, 0))
        store(case, place / f"{file_format}-log")
        dataset = LogDataset(
            filepath=str(place / f"{file_format}-log"), file_format=file_format, load_args=LOAD_ARGS[file_format]
        )
        found = _read_and_ingested(dataset, case, 0.0, None)
        assert len(found.rows) == len(pages())
        require_balance(found)
        require_untouched_pages(found, case)
