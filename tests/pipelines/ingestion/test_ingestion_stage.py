from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest
import yaml
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError

from rankhammer.click_logs import CorpusCounts, PositionRate
from rankhammer.errors import DataError, PluginError
from rankhammer.pipelines.ingestion.params import IngestionParams
from rankhammer.pipelines.ingestion.pipeline import create_pipeline
from rankhammer.pipelines.ingestion.report import click_through_figure, ingestion_facts
from rankhammer.schemas import SERPS

CONF = Path(__file__).parents[3] / "conf" / "base"
LOG_SCHEMA = (
    "corpus string, serp_id string, session_id string, query string, shown_at timestamp, "
    "doc_id string, position int, clicked boolean"
)


def params(**changes):
    from_yml = yaml.safe_load((CONF / "parameters" / "ingestion.yml").read_text())["ingestion"]
    return from_yml | {"reader": {"name": "impressions", "options": {}}} | changes


class Kept(MemoryDataset):
    """A MemoryDataset that the runner does not empty after its last use."""

    def _release(self):
        pass


def run_stage(click_log, *, language="english", **changes):
    ingestion = IngestionParams(**params(**changes))
    inputs = {
        "click_log": click_log,
        "params:ingestion": ingestion,
        "params:language": language,
        "params:corpora": None,
        "ingested_days": None,
        "result_lists": None,
    }
    outputs = create_pipeline().all_outputs()
    catalog = DataCatalog(
        {name: Kept(value, copy_mode="assign") for name, value in inputs.items()}
        | {name: Kept(copy_mode="assign") for name in outputs}
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return {name: catalog.load(name) for name in outputs}


@pytest.fixture
def click_log(spark):
    rows = [
        ("x", f"p{i}", "s", ("Reading files", "read file")[i % 2], None, doc, position, i == 0 and doc == "b")
        for i in range(20)
        for position, doc in enumerate("ab", start=1)
    ]
    faulty = ("x", "p19", "s", "read file", None, "c", 0, False)
    silent = ("y", "p0", "s", "sort", None, "a", 1, False)
    return spark.createDataFrame([*rows, faulty, silent], LOG_SCHEMA)


def test_stage_writes_serps_and_reports_what_it_left_out(click_log):
    found = run_stage(click_log)
    SERPS.check(found["serps"])
    assert {row.query_cluster_id for row in found["serps"].collect()} == {found["serps"].first().query_cluster_id}
    report = json.loads(json.dumps(found["ingestion_report"]))
    facts = report["corpora"]["x"]
    assert (facts["n_read"], facts["n_serps"], facts["set_aside"]) == (20, 19, {"bad_position": 1})
    assert (facts["n_queries"], facts["n_clusters"], facts["click_through"]) == (2, 1, 1 / (19 * 2))
    assert len(found["click_through_by_position"].data) == 1


def test_clusters_go_by_results_and_rare_ones_are_left_out(spark):
    pages = [("file", "ab", "s1"), ("files", "ab", "s2"), ("the file", "xy", "s3"), ("sort", "ab", "s1")]
    rows = [
        ("x", f"p{number}", session, query, None, doc, position, position == 1)
        for number, (query, docs, session) in enumerate(pages)
        for position, doc in enumerate(docs, start=1)
    ]
    log = spark.createDataFrame(rows, LOG_SCHEMA)
    rules = {"default": "english", "clusters": "results"}
    # The form `file` has three sessions, its cluster of two queries two, the other one and `sort` have one.
    found = run_stage(log, language=rules, min_sessions=2)
    assert {row.query for row in found["serps"].collect()} == {"file", "files"}
    facts = found["ingestion_report"]["corpora"]["x"]
    assert (facts["n_clusters"], facts["n_left_out"]) == (1, 2)


def test_a_corpus_that_is_set_up_and_not_in_the_log_is_reported_and_stops_nothing(click_log, caplog):
    limits = {"default": 1, "corpora": {"gone": 3}}
    found = run_stage(click_log, min_sessions=limits, language={"default": "english", "corpora": {"away": "german"}})
    corpora = found["ingestion_report"]["corpora"]
    assert {name for name, facts in corpora.items() if facts.get("absent")} == {"gone", "away"}
    assert corpora["gone"]["n_read"] == corpora["gone"]["n_serps"] == 0
    assert "No result page is of 'away', 'gone'" in caplog.text


def test_a_sample_is_within_two_percent_and_of_whole_clusters_and_a_corpus_without_a_number_comes_whole(spark):
    rows = [
        (corpus, f"{corpus}{q}-{i}", f"s{i}", f"{'abcdefgh'[q % 8]}{q}", None, f"d{q}-{p}", p, p == 1)
        for corpus in ("x", "whole")
        for q in range(300)
        for i in range(1 + q % 3)
        for p in range(1, 6)
    ]
    log = spark.createDataFrame(rows, LOG_SCHEMA)
    found = run_stage(log, sample_pairs={"default": 500, "corpora": {"whole": None}})
    serps = found["serps"].selectExpr("corpus", "query", "explode(doc_ids) AS doc_id").distinct().groupBy("corpus")
    pairs = {row["corpus"]: row["count"] for row in serps.count().collect()}
    assert pairs["whole"] == 300 * 5
    assert abs(pairs["x"] - 500) <= 0.02 * 500
    left = found["ingestion_report"]["corpora"]["x"]
    assert left["n_read"] == left["n_serps"] + left["n_left_out"] == sum(1 + q % 3 for q in range(300))


def test_a_corpus_without_clicks_is_a_failure_and_not_in_the_table(click_log):
    found = run_stage(click_log)
    assert [failure["corpus"] for failure in found["ingestion_failures"]] == ["y"]
    assert found["ingestion_report"]["failures"] == found["ingestion_failures"]
    assert {row.corpus for row in found["serps"].select("corpus").collect()} == {"x"}


def test_hand_off_does_not_depend_on_partitions(click_log):
    def contents(log):
        return sorted(map(str, run_stage(log)["serps"].collect()))

    assert contents(click_log.repartition(5)) == contents(click_log.coalesce(1))


def test_kedro_finds_the_parameter_model_of_the_stage():
    requirements = TypeExtractor({"ingestion": create_pipeline()}).extract_types_from_pipelines()
    assert requirements == {"ingestion": IngestionParams}


def test_yml_has_every_parameter_and_every_output_is_catalogued():
    assert set(params()) == set(IngestionParams.model_fields)
    catalogued = yaml.safe_load((CONF / "catalog" / "ingestion.yml").read_text())
    # The days are filled by the node that reads them.
    assert set(catalogued) - {"ingested_days", "result_lists"} == create_pipeline().all_outputs()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"reader": {"name": "impresions"}}, "Did you mean 'impressions'"),
        ({"reader": {"name": "impressions", "options": {"colums": {}}}}, "colums"),
        ({"reader": {"name": "impressions", "options": {"columns": {"dok_id": "sku"}}}}, "dok_id"),
    ],
)
def test_mistyped_reader_or_option_stops_before_any_node(change, word):
    with pytest.raises(PluginError, match=word):
        IngestionParams(**params(**change))


@pytest.mark.parametrize("change", [{"max_bad_share": 1.5}, {"max_serps_per_day": 0}, {"max_bad_shar": 0.1}])
def test_values_out_of_bounds_and_unknown_names_are_refused(change):
    with pytest.raises(ValidationError):
        IngestionParams(**params(**change))


def test_settings_of_an_earlier_version_mean_what_conf_base_says():
    new = ("sessions", "robots", "abandoned_searches", "salt", "days")
    earlier = {name: value for name, value in params().items() if name not in new}
    assert IngestionParams(**earlier) == IngestionParams(**params())


def test_report_shows_a_failed_corpus_with_its_counts():
    counts = {"y": asdict(CorpusCounts(n_read=2, set_aside={"x": 2}))}
    report = ingestion_facts({}, counts, [{"corpus": "y"}])
    counted = {name: value for name, value in counts["y"].items() if name not in ("n_serps", "n_clicks")}
    assert report == {"corpora": {"y": {"n_serps": 0} | counted}, "failures": [{"corpus": "y"}]}


def test_report_counts_the_pages_of_queries_that_are_left_out():
    counts = {name: asdict(CorpusCounts(n_read=5, n_serps=4, n_robot_serps=1)) for name in ("x", "y", "z")}
    counts["z"]["uncompared"] = {"forms": 1, "queries": 7}
    facts = {"x": {"n_serps": 4}, "z": {"n_serps": 3}}
    found = ingestion_facts(facts, counts, [])["corpora"]
    assert [found[name].get("n_left_out") for name in "xyz"] == [None, 4, 1]
    assert found["z"]["uncompared"] == {"forms": 1, "queries": 7}
    with pytest.raises(DataError, match="no result page is left"):
        ingestion_facts({}, counts, [])


def test_figure_has_one_line_a_corpus():
    rates = [PositionRate("x", 1, 4, 2), PositionRate("x", 2, 4, 1), PositionRate("y", 1, 2, 0)]
    lines = {trace.name: list(trace.y) for trace in click_through_figure(rates).data}
    assert lines == {"x": [0.5, 0.25], "y": [0.0]}
