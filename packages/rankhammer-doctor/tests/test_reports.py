"""Reports: exit codes, JSON, one page that loads nothing, and no secret in any of them."""

from __future__ import annotations

import json
import random
import re
from html.parser import HTMLParser

import pytest
from click.testing import CliRunner
from event_logs import CONF, LogBuilder, failure

from rankhammer_doctor.cli import doctor
from rankhammer_doctor.redaction import REDACTED, redact_text, redact_value
from rankhammer_doctor.reports.facts import SCHEMA_VERSION
from rankhammer_doctor.reports.text import plain

EVIL = "<script>alert(1)</script>\x1b[31m\"'&"


def call(*arguments) -> tuple[int, str, str]:
    done = CliRunner().invoke(doctor, [str(one) for one in arguments], catch_exceptions=False)
    return done.exit_code, done.stdout, done.stderr


@pytest.fixture
def healthy(log, tmp_path):
    return log.job(0, [0], tasks=8).even_stage(0).job_end(0, 20_000).ended(25_000).write(tmp_path / "log")


def test_a_healthy_run_ends_with_0(healthy):
    code, text, _ = call("log", healthy)
    assert code == 0
    assert "Nothing to change." in text
    assert "core-hours" in text


def test_warnings_end_with_4_and_errors_with_5(log, tmp_path):
    log.job(0, [0]).even_stage(0, n=16, gc=1500).job_end(0, 40_000)
    assert call("log", log.write(tmp_path / "log"))[0] == 4
    log.job(1, [1]).task(1, 0, 5, reason=failure("ValueError: x")).stage(1, 0, 5, failure="x").job_end(
        1, 5, failure="x"
    )
    code, text, _ = call("log", log.write(tmp_path / "log"))
    assert code == 5
    assert "docs/doctor/D21.md" in text


@pytest.mark.parametrize("arguments", [("log", "/no/such"), ("conf", "/no/such"), ("compare", "/no", "/such")])
def test_what_a_user_can_cure_ends_with_2_and_a_hint(arguments):
    code, _, error = call(*arguments)
    assert code == 2
    assert "Hint: " in error
    assert "Traceback" not in error


def test_json_has_a_version_and_what_the_text_has(log, tmp_path):
    log.job(0, [0], tasks=8, description="labeling: judge").even_stage(0).job_end(0, 20_000).ended(25_000)
    facts = json.loads(call("log", log.write(tmp_path / "log"), "--json")[1])
    assert facts["schema_version"] == SCHEMA_VERSION
    assert set(facts) == {
        "schema_version", "doctor", "kind", "counts", "exit_code", "findings", "application", "log", "stages",
        "executors", "jobs", "queries", "what_if", "conf",
    }  # fmt: skip
    (stage,) = facts["stages"]
    assert (stage["node"], stage["run_ms"], stage["task_time"]["median_ms"]) == ("judge", 80_000, 10_000)
    assert facts["application"]["duration_ms"] == 25_000


class Loads(HTMLParser):
    """Collects what a page would load or run."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag in ("script", "link", "img", "iframe", "object", "embed", "base", "form", "a"):
            self.found.append(tag)
        self.found += [name for name, _ in attrs if name.startswith("on") or name in ("src", "href", "style")]


def test_a_page_escapes_names_and_loads_nothing(tmp_path):
    log = LogBuilder().started(name=EVIL, conf={**CONF, "spark.x": EVIL})
    log.job(0, [0], description=EVIL, tasks=8).even_stage(0, peaks={"JVMHeapMemory": 1 << 28})
    log.job(1, [1]).task(1, 0, 5, reason=failure(f"E: {EVIL}")).stage(1, 0, 5, failure=EVIL).job_end(1, 5, failure=EVIL)
    page = tmp_path / "page.html"
    assert call("log", log.ended(30_000).write(tmp_path / "log"), "--html", page)[0] == 5
    text = page.read_text()
    parser = Loads()
    parser.feed(text)
    assert parser.found == []
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "default-src 'none'" in text
    assert text.count("<svg") == 3
    assert not re.search(r"url\(|@import|https?://", text)


def test_a_terminal_is_not_written_to_by_a_log(tmp_path):
    log = LogBuilder().started(name=EVIL).job(0, [0], description=EVIL).even_stage(0).job_end(0, 20_000).ended(30_000)
    assert "\x1b[31m" not in call("log", log.write(tmp_path / "log"))[1]


SECRETS = {
    "spark.hadoop.fs.s3a.secret.key": "topsecretvalue",
    "spark.my.password": "hunter22",
    "spark.executor.extraJavaOptions": "-Djavax.net.ssl.trustStorePassword=hunter22 -Xss4m",
    "spark.my.url": "jdbc:mysql://user:hunter22@db/x",
    "spark.my.id": "AKIAIOSFODNN7EXAMPLE",
}


def test_no_secret_is_in_any_report(tmp_path):
    log = LogBuilder().started(conf={**CONF, **SECRETS})
    said = "ValueError: cannot open s3a://me:hunter22@bucket with password=hunter22 and AKIAIOSFODNN7EXAMPLE"
    log.job(0, [0], description=said).task(0, 0, 5, reason=failure(said)).stage(0, 0, 5, failure=said)
    place = log.job_end(0, 5, failure=said).ended(9000).write(tmp_path / "log")
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs/driver.log").write_text(f"java.lang.OutOfMemoryError: Java heap space {said}\n")
    _, text, _ = call("log", place, "--logs", tmp_path / "logs")
    _, facts, _ = call("log", place, "--logs", tmp_path / "logs", "--json", "--html", tmp_path / "page")
    for shown in (text, facts, (tmp_path / "page").read_text()):
        assert not re.search("hunter22|topsecretvalue|AKIAIOSFODNN7EXAMPLE", shown)
        assert REDACTED in shown or "redacted" in shown


@pytest.mark.parametrize(
    "text",
    [
        "Job aborted due to stage failure: Task 3 in stage 2.0 failed 4 times",
        "tokenize at app.py:12",
        "spark.authenticate: true",
        "org.apache.spark.SparkException: token: it is gone",
        "container_e18_1628109047826_1317105_01_000002",
        "hdfs://host:9000/a/b@c",
    ],
)
def test_what_is_no_secret_is_shown(text):
    assert redact_text(text) == text


def test_a_key_that_only_names_a_place_is_shown():
    assert redact_value("spark.authenticate.secret.file", "/etc/x") == "/etc/x"
    assert redact_value("spark.ssl.keyPassword", "x") == REDACTED


def test_conf_says_what_is_wrong_and_writes_it_after_asking(tmp_path):
    file = tmp_path / "spark-defaults.conf"
    file.write_text("# mine\nspark.master yarn\nspark.network.timeout 5s\nspark.eventLog.enabled true\n")
    code, text, _ = call("conf", file)
    assert code == 5
    assert "S12" in text
    done = CliRunner().invoke(doctor, ["conf", str(file), "--fix"], input="n\n")
    assert "5s" in file.read_text()
    done = CliRunner().invoke(doctor, ["conf", str(file), "--fix"], input="y\n")
    assert done.exit_code == 5
    assert "# mine\nspark.master yarn\nspark.network.timeout 300s\n" in file.read_text()
    assert call("conf", file)[0] == 0


def test_conf_takes_a_shape_and_thresholds(tmp_path):
    (tmp_path / "shape.yml").write_text("{nodes: 1, yarn_memory: 4g, yarn_vcores: 4}")
    (tmp_path / "t.yml").write_text("S4: {max_cores: 2}")
    line = (
        "spark-submit --executor-memory 2g --executor-cores 4 --num-executors 9 --conf spark.eventLog.enabled=true a.py"
    )
    options = ("--cluster", tmp_path / "shape.yml", "--thresholds", tmp_path / "t.yml")
    facts = json.loads(call("conf", line, *options, "--json")[1])
    assert {one["rule"] for one in facts["findings"]} == {"S1", "S3", "S4"}
    assert facts["exit_code"] == 4


@pytest.mark.parametrize(
    "text",
    [
        "D5: {tme_ratio: 3}",
        "D5: {time_ratio: .nan}",
        "D5: {time_ratio: -1}",
        "D5: {time_ratio: many}",
        "D99: {x: 1}",
        "[1",
        "- a",
    ],
)
def test_thresholds_with_a_wrong_name_or_value_are_refused(healthy, tmp_path, text):
    (tmp_path / "t.yml").write_text(text)
    code, _, error = call("log", healthy, "--thresholds", tmp_path / "t.yml")
    assert code == 2
    assert "Hint: " in error


def test_a_report_of_a_damaged_log_has_all_of_its_forms(log, tmp_path):
    log.job(0, [0], tasks=8, description="x").even_stage(0, peaks={"JVMHeapMemory": 1 << 28}).job_end(0, 20_000)
    content, numbers = log.removed("1", "Container killed", at=900).ended(25_000).text, random.Random(11)
    said, place = set(), tmp_path / "log"
    for _ in range(60):
        damaged = bytearray(content)
        for _ in range(numbers.randint(1, 30)):
            # Digits for digits, too: numbers of any size.
            damaged[numbers.randrange(len(damaged))] = numbers.choice(b'0123456789-"{}[],:\\\xff')
        place.write_bytes(damaged)
        code, text, _ = call("log", place, "--json", "--html", tmp_path / "page.html")
        said.add(code)
        assert code == 2 or json.loads(text)["schema_version"]
    assert said <= {0, 2, 4, 5}


@pytest.mark.parametrize("name", ["\ud800", "a\udfffb", "\U0001f600"])
def test_half_a_character_does_not_end_a_report(log, tmp_path, name):
    events = log.job(0, [0]).even_stage(0).job_end(0, 1).ended(25_000).events
    events[2]["App Name"], events[2]["Timestamp"] = name, 10**30
    (tmp_path / "log").write_text("".join(json.dumps(event) + "\n" for event in events))
    code, text, _ = call("log", tmp_path / "log", "--json", "--html", tmp_path / "page.html")
    assert code in (0, 4)
    assert len(json.loads(text)["application"]["name"]) == len(name)


def test_what_a_log_says_stays_on_its_line():
    said = "judge\n<b>x</b>\r\n\u2028error   D1 all is lost\x1b[31m \u202egnol"
    assert plain(said) == "judge <b>x</b> error   D1 all is lost?[31m ?gnol"
