"""What stands on the pages: figures of a run, nothing that was slipped in, and words where something is missing."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from tests.dashboard.conftest import Client, make_site
from tests.support.run_results import HOSTILE, add_run, make_results, places, write_report, write_table

from rankhammer.dashboard import page_list, self_contained

EVERY = ["/", "/cost", "/sweep", "/experiments", *(f"/runs/1/{name}?corpus=main" for name in page_list.TABS)]


class Elements(HTMLParser):
    """The elements of a page, and its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.text += " "

    def handle_data(self, data):
        self.text += data


def text(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status == 200, answer.text
    return Elements(answer.text).text


def test_the_first_page_lists_runs_with_intervals(signed_in):
    found = text(signed_in, "/")
    assert "main 0.700 (0.650 to 0.740) better" in found
    assert "labeling, training, query_report" in found


def test_a_run_has_its_closing_table(signed_in):
    found = text(signed_in, "/runs/1")
    assert "logged order 0.500 0.450 to 0.540" in found
    assert "ranker - logged +0.200 +0.150 to +0.240 better" in found
    assert "60 judgments" in found


def test_trials_are_listed_best_first_with_their_failures(signed_in):
    found = text(signed_in, "/runs/1/trials")
    assert found.index("0.650") < found.index("0.600 0.010")
    assert "xgboost chosen 1" in found
    assert "Trial 2 of xgboost: failed" in found


def test_gains_and_losses_come_from_the_table(signed_in):
    found = text(signed_in, "/runs/1/queries?corpus=main")
    assert "Of 3 test queries of main, 1 are ordered better and 1 worse" in found
    assert "open a file 0.900 0.200 +0.700" in found
    assert "0.300 0.900 -0.600" in found


def test_queries_are_found_by_a_part(signed_in):
    assert "open a file" in text(signed_in, "/runs/1/queries?corpus=main&part=FILE")
    assert "None." in text(signed_in, "/runs/1/queries?corpus=main&part=%25")


def test_one_query_shows_both_orders_and_why(signed_in):
    found = text(signed_in, f"/runs/1/query?corpus=main&query={quote(HOSTILE)}")
    assert "1 2 up" in found
    assert "title_bm25 +0.900" in found
    assert "orders of this query were not kept" in text(signed_in, "/runs/1/query?corpus=main&query=open+a+file")


@pytest.mark.parametrize("path", [*EVERY, f"/runs/1/query?corpus={quote(HOSTILE)}&query={quote(HOSTILE)}"])
def test_names_are_shown_and_never_run(signed_in, path):
    answer = signed_in.get(path)
    elements = Elements(answer.text).found
    scripts = [attributes for tag, attributes in elements if tag == "script"]
    assert answer.status == 200
    assert [attributes.get("src", "").startswith("/static/") for attributes in scripts] == [True] * 3
    assert not any(tag == "style" or name == "style" or name.startswith("on") for tag, of in elements for name in of)


@pytest.mark.parametrize(
    "path",
    [
        *("/runs/1/../../etc/passwd", "/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd"),
        *("/runs/1/passwd", "/runs/-1", "/runs/2", "/runs/99999999999999999999", "/runs/x"),
    ],
)
def test_no_address_leads_out_of_the_results(signed_in, path):
    assert signed_in.get(path).status == 404


def test_what_an_address_says_is_a_value_and_no_statement(signed_in):
    evil = quote("x' OR 1=1; COPY (SELECT 1) TO '/tmp/rankhammer-evil' --")
    paths = [f"/runs/1/queries?corpus={evil}&against={evil}&part={evil}", f"/runs/1/query?corpus={evil}&query={evil}"]
    assert [signed_in.get(path).status for path in [*paths, f"/?page={evil}", "/?page=99999"]] == [200] * 4


def test_without_runs_the_pages_say_so(folder):
    site, _ = make_site(places(folder))
    client = Client(site, cookie=f"rankhammer_session={site.access.new_session(10**10)}")
    assert "No run is in the history yet" in text(client, "/")
    assert "model_sweeps is not there" in text(client, "/sweep")
    assert "experiment_metrics is not there" in text(client, "/experiments")
    assert client.get("/runs/1").status == 404


def test_an_empty_run_says_so(folder):
    make_results(folder)
    add_run(folder, figures={}, stages=[], stage_seconds={}, id="other")
    site, _ = make_site(places(folder))
    client = Client(site, cookie=f"rankhammer_session={site.access.new_session(10**10)}")
    assert "not measured" in text(client, "/")
    assert "This run measured no ranker" in text(client, "/runs/2")
    assert "did not run the stage training" in text(client, "/runs/2/trials")


def test_replaced_results_are_not_shown_as_another_runs(folder):
    make_results(folder)
    add_run(folder, id="later")
    site, _ = make_site(places(folder))
    client = Client(site, cookie=f"rankhammer_session={site.access.new_session(10**10)}")
    assert "A later run (20261129T104843Z-f639) has replaced" in text(client, "/runs/2/features")
    assert "title_bm25" in text(client, "/runs/1/features")


def test_half_written_results_are_named(signed_in, folder):
    (folder / "evaluation" / "_fingerprint.json").unlink()
    assert "being written just now" in text(signed_in, "/runs/1/queries?corpus=main")
    part = folder / "tuning_trials" / "part-0.parquet"
    part.write_bytes(part.read_bytes()[:-10])
    assert "half written: part-0.parquet" in text(signed_in, "/runs/1/trials")
    (folder / "training_report.json").write_text('{"corpora": {"ma')
    assert "training_report is cut off" in text(signed_in, "/runs/1/features")


def test_results_of_a_newer_version_are_named(signed_in, folder):
    marker = folder / "evaluation" / "_fingerprint.json"
    marker.write_text(json.dumps({**json.loads(marker.read_text()), "format": 3}))
    assert "of a newer version (format 3" in text(signed_in, "/runs/1/queries?corpus=main")
    add_run(folder, format=2)
    assert "newer version (format 2; this one knows 1); a newer Rankhammer shows it" in text(signed_in, "/")
    assert "newer version" in text(signed_in, "/runs/2")


def test_a_table_without_a_column_is_an_answer_without_a_trace(signed_in, folder):
    write_table(folder, "evaluation", {"corpus": ["main"], "value": [1.0]})
    answer = signed_in.get("/runs/1/queries?corpus=main")
    assert answer.status == 500
    assert "a form that this version does not know" in answer.text
    assert "Traceback" not in answer.text
    assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("value", [[], 7, "x", None, {"main": 7}, {"main": {"ndcg@10": 7, "fit": [], "plot": {}}}])
def test_values_of_another_form_are_left_out(folder, value):
    make_results(folder)
    add_run(folder, figures=value, stage_seconds=value, parameters=value, stages=value, metric=value)
    for name in (
        "training_report",
        "labeling_report",
        "click_model_measures",
        "query_comparison",
        "learning_curves",
        "model_sweeps",
        "experiment_metrics",
    ):
        write_report(folder, name, {"corpora": value, "held_out": value, "sweeps": value, "experiments": value})
    site, _ = make_site(places(folder))
    client = Client(site, cookie=f"rankhammer_session={site.access.new_session(10**10)}")
    answers = {path: client.get(path).status for path in (*EVERY, *(f"/runs/2/{name}" for name in page_list.TABS))}
    assert set(answers.values()) == {200}, answers


def test_a_run_id_cannot_lead_to_another_folder(folder):
    found = {name: path.replace(str(folder), f"{folder}/runs/*") for name, path in places(folder).items()}
    found["run_history"] = str(folder / "run_history")
    add_run(folder, run="../../elsewhere")
    site, _ = make_site(found)
    assert (
        site.results._path("training_report", {"run": "../../elsewhere"}) == f"{folder}/runs/none/training_report.json"
    )
    assert site.results._path("training_report", {"run": "r1"}) == f"{folder}/runs/r1/training_report.json"


def test_metrics_of_experiments_are_drawn_the_newest_first(folder):
    make_results(folder)
    older = {"time": 1.0, "state": "failed", "function": "shop.models:train", "message": "too hot", "metrics": {}}
    losses = {"chief-0": [[1, 0.5], [2, 0.25]], "worker-0": [[1, 0.75], ["x", 1], [3]]}
    newer = {"time": 2.0, "state": "done", "function": "a.py:train", "message": "done", "metrics": {"loss": losses}}
    write_report(folder, "experiment_metrics", {"experiments": {"first-1": older, "second-2": newer}})
    site, _ = make_site(places(folder))
    shown = text(Client(site, cookie=f"rankhammer_session={site.access.new_session(10**10)}"), "/experiments")
    assert shown.index("second-2") < shown.index("first-1")
    assert "loss by step" in shown
    assert ("0.25" in shown, "0.75" in shown, "too hot" in shown) == (True, True, True)


@pytest.mark.parametrize("asked", ["corpus=main&query=never+asked", "corpus=nowhere&query=same", "", "query=%E0%80"])
def test_a_query_that_no_run_has_is_not_called_one(signed_in, asked):
    answer = signed_in.get(f"/runs/1/query?{asked}")
    assert answer.status == 200
    assert "The run has no such test query." in answer.text
    assert "A test query of" not in answer.text


def test_half_of_a_character_is_shown_as_a_sign(folder, signed_in):
    half = "open \ud800 file"
    report = json.loads((folder / "query_comparison.json").read_text())
    report["corpora"]["main"]["worst"][0] |= {"query": half}
    write_report(folder, "query_comparison", report)
    write_report(folder, "training_report", {"corpora": {half: {"feature_importance": {half: 1.0}, "ranker": half}}})
    assert "open ? file" in text(signed_in, "/runs/1/features")
    page = self_contained.report(signed_in.site.results, signed_in.site.tables, 1, environment="local")
    assert "open ? file" in page
    assert page.encode()
