"""Click logs from the indices of real nodes."""

from __future__ import annotations

import base64
import json
import re
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from between import Between
from kedro.io import DataCatalog, DatasetError

from rankhammer import credentials
from rankhammer.click_logs.ubi import Ubi, UbiOptions
from rankhammer.config_loader import ConfigLoader
from rankhammer.datasets import InputDataset
from rankhammer.errors import ConfigError, DataError, EngineError
from rankhammer.runs.user_errors import user_error

CONF = Path(__file__).parents[3] / "conf"
SECRET = "s3cr3t-word"
N_PAGES, N_SHOWN = 30, 4
BOTH = ["ubi_queries", "ubi_events"]
DATES = {"properties": {"timestamp": {"type": "date"}}}


def at(number):
    return f"2025-01-{1 + number % 28:02}T07:31:30.699+0000"


def query(number):
    head = {"application": "shop", "query_id": f"q{number}", "user_query": "tv", "client_id": "c"}
    hits = [f"d{place}" for place in range(N_SHOWN)]
    return {**head, "timestamp": at(number), "query_response_hit_ids": hits, "query_attributes": {"unwanted": "x" * 99}}


def click(number, **object_id):
    attributes = {"object": object_id or {"object_id": f"d{number % N_SHOWN}"}, "position": {"ordinal": number % 4}}
    head = {"application": "shop", "query_id": f"q{number}", "action_name": "click", "session_id": f"s{number}"}
    return {**head, "timestamp": at(number), "event_attributes": attributes}


QUERIES = [query(number) for number in range(N_PAGES)]
EVENTS = [click(number) for number in range(0, N_PAGES, 3)]


def put(node, index, records, *, shards=1, mappings=None, aliases=None):
    node.call("DELETE", f"/{index}?ignore_unavailable=true")
    settings = {"number_of_shards": shards, "number_of_replicas": 0}
    node.call("PUT", f"/{index}", {"settings": settings, "mappings": mappings or DATES, "aliases": aliases or {}})
    add(node, index, records)


def add(node, index, records):
    lines = "".join(f'{{"index": {{}}}}\n{json.dumps(record)}\n' for record in records)
    if lines:
        assert not node.call("POST", f"/{index}/_bulk?refresh=true", lines)["errors"]


@pytest.fixture(scope="module", params=["opensearch", "elasticsearch"])
def node(request):
    """A node of each product with a log of several shards."""
    found = request.getfixturevalue(request.param)
    _fill(found)
    return found


@pytest.fixture(scope="module")
def one_node(opensearch):
    _fill(opensearch)
    return opensearch


def _fill(node):
    put(node, "ubi_queries", QUERIES, shards=2)
    put(node, "ubi_events", EVENTS, shards=3)


@pytest.fixture
def log(spark, tmp_path):
    """Return how the catalog's click_log is made; each has snapshots of its own."""
    numbers = count()

    def made(node, *indices, url=None, **load_args):
        folder = str(tmp_path / f"snapshots-{next(numbers)}")
        given = {"indices": list(indices or BOTH), "snapshots": folder, "patience_s": 5, **load_args}
        return InputDataset(filepath=url or node.url, file_format=node.product, load_args=given)

    return made


def lines(table):
    return sorted(map(repr, table.collect()))


def refusal(dataset):
    """Return the error that a user is shown."""
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    return user_error(caught.value)


def open_contexts(node):
    """Return how many points in time are open on the node."""
    stats = node.call("GET", "/_nodes/stats/indices/search")["nodes"]
    key = "point_in_time_current" if node.product == "opensearch" else "open_contexts"
    return sum(found["indices"]["search"][key] for found in stats.values())


def test_indices_are_the_log_that_a_file_of_their_records_is(node, log, spark, tmp_path):
    (tmp_path / "log.ndjson").write_text("\n".join(map(json.dumps, QUERIES + EVENTS)))
    from_file = spark.read.json(str(tmp_path / "log.ndjson"))
    from_engine = log(node).load()
    assert from_engine.dtypes == from_file.dtypes
    assert lines(from_engine) == lines(from_file)
    assert from_engine.count() == N_PAGES + len(EVENTS)
    assert open_contexts(node) == 0


@pytest.mark.parametrize(("max_in_flight", "page_size"), [(1, 10_000), (11, 3)])
def test_neither_slices_nor_pages_change_a_record(node, log, max_in_flight, page_size):
    found = log(node, max_in_flight=max_in_flight, page_size=page_size).load()
    assert sorted(row["query_id"] for row in found.where("user_query is not null").collect()) == sorted(
        record["query_id"] for record in QUERIES
    )
    assert found.count() == len(QUERIES) + len(EVENTS)


def test_fields_that_are_not_needed_are_not_sent(one_node, log):
    fields = ["query_id", "event_attributes.object.object_id"]
    found = log(one_node, fields=fields).load()
    assert found.columns == ["event_attributes", "query_id"]
    assert found.schema["event_attributes"].dataType.simpleString() == "struct<object:struct<object_id:string>>"


def test_a_time_range_is_half_open(one_node, log):
    found = log(one_node, since="2025-01-03T07:31:30.699+00:00", until="2025-01-05T07:31:30.699").load()
    days = {row["timestamp"][:10] for row in found.select("timestamp").collect()}
    assert days == {"2025-01-03", "2025-01-04"}


def test_the_mapping_of_object_ids_does_not_matter(one_node, log):
    for kind, found in {"keyword": "7", "text": "8", "long": 9}.items():
        objects = {"object": {"properties": {"object_id": {"type": kind}}}}
        mapping = {"properties": {"event_attributes": {"properties": objects}}}
        put(one_node, f"mapped-{kind}", [click(1, object_id=found)], mappings=mapping)
    found = log(one_node, "mapped-*").load().select("event_attributes.object.object_id").collect()
    assert sorted(row["object_id"] for row in found) == ["7", "8", "9"]


def test_the_documented_environment_reads_all_that_the_reader_needs(one_node, spark, tmp_path):
    entry = ConfigLoader(str(CONF), base_env="base", env="ubi", merge_strategy={"globals": "soft"})["catalog"]
    given = entry["click_log"] | {"filepath": one_node.url}
    given["load_args"]["snapshots"] = str(tmp_path / "snapshots")
    fewer = DataCatalog.from_config({"click_log": given}).load("click_log")
    assert "query_attributes" not in fewer.columns
    (tmp_path / "log.ndjson").write_text("\n".join(map(json.dumps, QUERIES + EVENTS)))
    all_fields, reader = spark.read.json(str(tmp_path / "log.ndjson")), Ubi(UbiOptions())
    assert lines(reader.to_serps(fewer)) == lines(reader.to_serps(all_fields))


def test_records_without_the_fields_and_fields_with_dots_are_read(one_node, log):
    dotted = {"query_id": "q0", "event_attributes.object.object_id": "d1", "event_attributes": {"position.ordinal": 1}}
    put(one_node, "odd", [{}, {"other": 1}, dotted, click(1)], mappings={"dynamic": True})
    fields = ["query_id", "event_attributes.object.object_id", "event_attributes.position.ordinal"]
    found = log(one_node, "odd", fields=fields).load().select("query_id", "event_attributes.*").collect()
    read = sorted((row["query_id"] or "", row["object"] and row["object"]["object_id"]) for row in found)
    assert read == [("", None), ("", None), ("q0", "d1"), ("q1", "d1")]
    assert {row["position"] and row["position"]["ordinal"] for row in found} == {None, 1}


def test_an_alias_is_all_of_its_indices_and_only_what_it_lets_through(one_node, log):
    only_tv = {"all_queries": {"filter": {"term": {"client_id": "me"}}}}
    mine = {**DATES, "properties": {**DATES["properties"], "client_id": {"type": "keyword"}}}
    put(one_node, "log-1", [query(1), {**query(2), "client_id": "me"}], mappings=mine, aliases=only_tv)
    put(one_node, "log-2", [query(3)], mappings=mine, aliases={"all_queries": {}})
    assert {row["query_id"] for row in log(one_node, "all_queries").load().collect()} == {"q2", "q3"}
    assert {row["query_id"] for row in log(one_node, "log-*").load().collect()} == {"q1", "q2", "q3"}


@pytest.mark.parametrize(
    ("indices", "more", "error", "message"),
    [
        (["ubi_event"], {}, EngineError, r"no index 'ubi_event'; found .*ubi_events, ubi_queries"),
        (["ubi-*"], {}, EngineError, r"no index 'ubi-\*'; found "),
        (["ubi_queries", "empty"], {}, DataError, "Index 'empty' of .* has no records."),
        (BOTH, {"since": "2031-01-01"}, DataError, "'ubi_queries' of .* has no records between"),
        (BOTH, {"since": "2025-01-01", "time_field": "user_query"}, EngineError, "'user_query' as text; .*dates"),
        (BOTH, {"since": "2025-01-01", "time_field": "at"}, EngineError, "'at' as no field at all"),
        (["sourceless"], {}, EngineError, "keeps no `_source`"),
        (["a/b"], {}, ConfigError, "no name of an index"),
        (BOTH, {"snapshots": ""}, ConfigError, "snapshots: "),
        (BOTH, {"index": "x"}, ConfigError, "there is no key 'index'"),
        (BOTH, {"credentials": "nobody"}, ConfigError, "no credentials 'nobody'"),
    ],
)
def test_what_cannot_be_read_is_said(one_node, log, indices, more, error, message):
    put(one_node, "empty", [])
    put(one_node, "sourceless", [{"a": 1}], mappings={"_source": {"enabled": False}})
    on_progress = refusal(log(one_node, *indices, **more))
    assert isinstance(on_progress, error)
    assert re.search(message, on_progress.message)
    assert on_progress.hint


def test_what_is_not_there_is_said_before_a_run(one_node, log):
    with pytest.raises(EngineError, match="no index 'nothing'"):
        log(one_node, "nothing").require_found()
    assert not log(one_node, "nothing").exists()
    assert log(one_node).exists()


def test_an_address_with_a_password_is_refused_and_not_repeated(one_node, log):
    on_progress = refusal(log(one_node, url=f"http://me:{SECRET}@127.0.0.1:9"))
    assert "must not carry a password" in on_progress.message
    assert SECRET not in str(on_progress)


def test_the_log_is_that_of_one_moment(one_node, log):
    """Whatever is written and deleted after the first page has no part in it."""
    put(one_node, "live", QUERIES, shards=2)

    def writes(method, path, body):
        if len(between.pages()) == 2 and "slice" in body:
            add(one_node, "live", [query(number) for number in range(100, 140)])
            one_node.call("POST", "/live/_delete_by_query?refresh=true", {"query": {"term": {"query_id": "q3"}}})

    with Between(one_node.url) as between:
        between.on_request = writes
        found = log(one_node, "live", url=between.url, page_size=3, max_in_flight=1).load()
        assert sorted(row["query_id"] for row in found.collect()) == sorted(record["query_id"] for record in QUERIES)
        assert one_node.call("GET", "/live/_count")["count"] == N_PAGES + 40 - 1


def test_a_busy_engine_is_asked_again_and_never_by_more_than_allowed(one_node, log):
    turns = count()

    def sometimes_busy(method, path, body):
        return 429 if "slice" in body and next(turns) % 2 else None

    with Between(one_node.url) as between:
        between.on_request = sometimes_busy
        found = log(one_node, url=between.url, page_size=5, max_in_flight=1).load()
        assert found.count() == len(QUERIES) + len(EVENTS)
        assert next(turns) > 2
        assert between.most_at_once == 1


@pytest.mark.parametrize("lost", ["engine", "point in time"])
def test_a_read_that_fails_leaves_nothing_open_and_no_half_of_a_log(node, log, lost):
    def fails(method, path, body):
        if "sort" in body and len(between.pages()) > 3:
            if lost == "engine":
                return 500
            path, body = ("/_search/point_in_time/_all", None)
            if node.product == "elasticsearch":
                path, body = "/_pit", {"id": between.pages()[-1]["pit"]["id"]}
            node.call("DELETE", path, body)
        return None

    with Between(node.url) as between:
        between.on_request = fails
        failing = log(node, url=between.url, page_size=2, max_in_flight=1)
        on_progress = refusal(failing)
        assert isinstance(on_progress, EngineError)
        assert ("refuses" if lost == "engine" else "has forgotten the point in time") in on_progress.message
        assert open_contexts(node) == 0
        between.on_request = lambda *_: None
        assert failing.load().count() == len(QUERIES) + len(EVENTS)


def test_a_log_that_was_not_written_to_is_read_once(one_node, log, tmp_path):
    put(one_node, "kept", QUERIES)
    with Between(one_node.url) as between:
        given = {"indices": ["kept"], "patience_s": 5, "snapshots": str(tmp_path / "kept")}

        def fresh():
            return InputDataset(filepath=between.url, file_format="opensearch", load_args=dict(given))

        first = fresh()
        before = first.fingerprint()
        n = first.load().count()
        n_asked = len(between.pages())
        assert (first.load().count(), fresh().load().count(), len(between.pages())) == (n, n, n_asked)
        assert fresh().fingerprint() == before
        one_node.call("POST", "/kept/_delete_by_query?refresh=true", {"query": {"term": {"query_id": "q3"}}})
        assert fresh().fingerprint() != before
        assert fresh().load().count() == n - 1
        assert len(list((tmp_path / "kept").iterdir())) == 1
        given["since"] = "2025-01-04"
        assert fresh().fingerprint() != before


def test_secrets_go_to_the_engine_and_nowhere_else(one_node, log, spark, tmp_path, caplog):
    coded = base64.b64encode(f"me:{SECRET}".encode()).decode()
    credentials.configure(lambda: {"search": {"username": "me", "password": SECRET}})
    try:
        with Between(one_node.url, f"Basic {coded}") as between, _event_log(spark, tmp_path / "events") as events:
            dataset = log(one_node, url=between.url, credentials="search")
            found = dataset.load()
            assert found.count() == len(QUERIES) + len(EVENTS)
            between.authorization = "Basic other"
            on_progress = refusal(log(one_node, url=between.url, credentials="search"))
            assert "401" in on_progress.message
            plan = found._jdf.queryExecution().toString()
    finally:
        credentials.configure(dict)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"SparkListenerJobEnd" in events()
    for text in (events(), written, f"{on_progress}{dataset}{dataset._describe()}{plan}{caplog.text}".encode()):
        assert SECRET.encode() not in text
        assert coded.encode() not in text


@contextmanager
def _event_log(spark, folder):
    """Let Spark write its event log, as the history server reads it."""
    folder.mkdir()
    context, jvm = spark.sparkContext._jsc.sc(), spark.sparkContext._jvm
    conf = context.getConf().set("spark.eventLog.compress", "false")
    target = jvm.java.net.URI(folder.as_uri())
    listener = jvm.org.apache.spark.scheduler.EventLoggingListener(
        "app", jvm.scala.Option.empty(), target, conf, context.hadoopConfiguration()
    )
    listener.start()
    context.addSparkListener(listener)
    yield lambda: b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    context.listenerBus().waitUntilEmpty()
    context.removeSparkListener(listener)
    listener.stop()
