"""All stages of this project on a cluster for one run, and what its results are worth when the cluster has gone."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa
import pytest
from chromium import chromium
from launching import configure_emr, has_ended, run_here, the_cluster
from ministack import ministack
from moto.server import ThreadedMotoServer
from pyarrow import parquet

from rankhammer.demo import SIZES, make_demo

pytestmark = [pytest.mark.emr, pytest.mark.budget("emr")]
BUCKET = "my-search-rankers"
QUESTIONS = (
    "SELECT corpus, count(*) AS n FROM serps GROUP BY corpus ORDER BY corpus",
    "SELECT corpus, split, count(*) AS n, sum(grade) AS grades FROM training_matrix GROUP BY 1, 2 ORDER BY 1, 2",
)
SMALL = {"stdlib": {"n_serps": 3000, "n_intents": 120}, "network": {"n_serps": 1200, "n_intents": 40}}


def test_a_run_leaves_its_results_on_s3_and_nothing_else(on_s3, tmp_path):
    upload_demo(on_s3)
    code, said = on_s3.run("launch")
    assert code == 0, said + on_s3.aws.node.log()
    assert has_ended(on_s3)
    assert the_cluster(on_s3).state == "TERMINATED"
    assert "stdlib   done" in said
    written = on_s3.objects("story/results/")
    assert any(name.endswith("evaluation/_fingerprint.json") for name in written)
    counted = run_here(on_s3, "sql", "SELECT corpus, count(*) AS n FROM serps GROUP BY ALL ORDER BY ALL", "--csv")
    assert counted.splitlines()[0] == "corpus,n"
    assert [line.partition(",")[0] for line in counted.splitlines()[1:]] == ["network", "stdlib"]
    report = on_s3.folder / "report.html"
    run_here(on_s3, "report", "last", "-o", str(report))
    assert "stdlib" in report.read_text()
    own_table(on_s3)
    the_new_run_is_shown_in_a_browser(on_s3)
    with emulator() as glue:
        first = run_here(on_s3, "tables", "publish", AWS_ENDPOINT_URL_GLUE=glue)
        assert "created    table evaluation" in first
        assert "created    table report_values" in first
        assert "created    table sizes" in first
        assert "created    query sizes: best" in first
        again = run_here(on_s3, "tables", "publish", AWS_ENDPOINT_URL_GLUE=glue)
        assert "created" not in again
        assert "replaced" not in again
        listed = json.loads(run_here(on_s3, "tables", "list", "--json", AWS_ENDPOINT_URL_GLUE=glue))
        places = {table["name"]: table["location"] for table in listed}
        assert places["evaluation"] == f"s3://{BUCKET}/story/results/07_model_output/evaluation/"
        assert on_s3.objects(places["report_values"].removeprefix(f"s3://{BUCKET}/"))
        run_here(on_s3, "tables", "remove", "--yes", AWS_ENDPOINT_URL_GLUE=glue)
        assert "No tables" in run_here(on_s3, "tables", "list", AWS_ENDPOINT_URL_GLUE=glue)
    assert on_s3.aws.athena.queries == {}
    athena_answers_as_a_laptop_does(on_s3, tmp_path)


def the_new_run_is_shown_in_a_browser(site):
    """Look at the results on S3 when the cluster has gone, as somebody does who has a browser and the token."""
    command = [sys.executable, "-m", "rankhammer", "dashboard", "--env=emr", "--port=0"]
    own = {**os.environ, **site.aws.environ, "XDG_CACHE_HOME": str(site.folder / "cache")}
    process = subprocess.Popen(command, cwd=site.project, env=own, stderr=subprocess.PIPE, text=True)
    try:
        said = {}
        while "Dashboard" not in said:
            line = process.stderr.readline()
            assert line, process.wait(20)
            name, _, value = line.partition(": ")
            said[name] = value.strip()
        with chromium() as browser:
            page = browser.new_page()
            page.goto(f"{said['Dashboard']}login")
            page.fill("#token", said["Token"])
            page.click("main button")
            page.wait_for_selector("figure[data-drawn]")
            page.click("tbody a")
            page.wait_for_selector("text=ranker: ")
            assert page.locator("h2", has_text="stdlib").count() == 1
            # The newest: other tests leave runs in the bucket, too.
            page.goto(f"{page.url}/queries?corpus=stdlib")
            assert "test queries of stdlib" in page.text_content("main")
            assert page.locator(".fault").count() == 0
    finally:
        process.terminate()
        process.communicate(timeout=60)


def athena_answers_as_a_laptop_does(site, folder):
    """Publish once more, where SQL of Athena is really answered; the published files are copied to that S3."""
    with ministack(folder) as aws:
        said = run_here(site, "tables", "publish", AWS_ENDPOINT_URL_GLUE=aws.url, AWS_ENDPOINT_URL_ATHENA=aws.url)
        assert "created    table training_matrix" in said
        assert aws.mirror(site.s3, BUCKET) > 50
        for question in QUESTIONS:
            here = list(csv.reader(io.StringIO(run_here(site, "sql", question, "--csv"))))
            assert aws.ask("rankhammer", question) == here
            assert len(here) > 1
        athena = aws.client("athena")
        numbers = athena.list_named_queries()["NamedQueryIds"]
        kept = [athena.get_named_query(NamedQueryId=number)["NamedQuery"] for number in numbers]
        assert {"rankhammer: trials by loss", "rankhammer: sizes: best"} <= {query["Name"] for query in kept}
        # Each is understood and finds rows; nothing of the demo is set aside.
        found = {query["Name"]: aws.ask(query["Database"], query["QueryString"]) for query in kept}
        assert [name for name, rows in found.items() if len(rows) < 2] == [
            "rankhammer: pages that were set aside, by reason"
        ]


def upload_demo(site):
    demo = site.folder / "demo"
    make_demo(demo, random_state=42, sizes={name: replace(SIZES[name], **change) for name, change in SMALL.items()})
    for file in sorted(path for path in demo.rglob("*") if path.is_file()):
        site.s3.upload_file(str(file), BUCKET, f"story/01_raw/{file.relative_to(demo).as_posix()}")


def own_table(site):
    """Declare a table of a job of one's own, and write it as Spark does."""
    written = io.BytesIO()
    parquet.write_table(pa.table({"size": [5, 30], "accuracy": [0.8, 0.9]}), written)
    for name, content in (("part-0.parquet", written.getvalue()), ("_SUCCESS", b"")):
        site.s3.put_object(Bucket=BUCKET, Key=f"story/sizes/{name}", Body=content)
    table = {"path": f"s3a://{BUCKET}/story/sizes", "columns": {"size": "bigint", "accuracy": "double"}}
    queries = {"best": "SELECT max(accuracy) FROM sizes"}
    configure_emr(site, "tables.yml", {"declared": {"sizes": table | {"queries": queries}}})


@contextmanager
def emulator():
    """Yield the address of an emulator that has Glue."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()
