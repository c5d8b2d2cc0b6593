"""ResourceManagers that stand by, answer something else, or do not answer."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from rankhammer.errors import ClusterError
from rankhammer.yarn import app_monitor, hadoop_conf, limits
from rankhammer.yarn.app_monitor import Progress
from rankhammer.yarn.resource_manager import ResourceManager


class _Manager(BaseHTTPRequestHandler):
    def _answer(self):
        self.server.asked.append(self.path)
        status, content, headers = self.server.message(self.path)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_PUT = _answer  # noqa: N815 - the server's own names

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def manager():
    """Start one that answers as it is told; returns it and its address."""
    started = []

    def start(on_progress):
        server = ThreadingHTTPServer(("127.0.0.1", 0), _Manager)
        server.message, server.asked = on_progress, []
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return server, f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in started:
        server.shutdown()
        server.server_close()


def test_one_that_stands_by_is_left_for_the_active_one_which_is_asked_first_from_then_on(manager):
    on_progress = json.dumps({"clusterInfo": {"resourceManagerVersion": "3.4.1"}}).encode()
    active, address = manager(lambda path: (200, on_progress, {}))
    standby, other = manager(lambda path: (307, b"This is standby RM.", {"Location": f"{address}{path}"}))
    asked = ResourceManager([other, address])
    assert (asked.version(), asked.version()) == ("3.4.1", "3.4.1")
    assert (len(standby.asked), len(active.asked)) == (1, 2)


NESTED = b'{"a":' * 100_000


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[]", b"{", b"{}", b'{"app": 3}', b'{"clusterInfo": [], "app": {}}', NESTED, b"[" * 100_000],
    ids=lambda content: content[:20],
)
def test_an_answer_of_another_shape_is_said(manager, content):
    _, address = manager(lambda path: (200, content, {}))
    asked = ResourceManager([address])
    questions = [
        asked.version,
        asked.queues,
        lambda: asked.attempts("application_1_1"),
        lambda: app_monitor.update(Progress("application_1_1"), asked),
    ]
    for question in questions:
        with pytest.raises(ClusterError, match="ResourceManager") as caught:
            question()
        assert caught.value.hint


def test_an_address_that_is_none_is_said():
    with pytest.raises(ClusterError, match="its address is none of HTTP"):
        ResourceManager(["http://nowhere:70000000"])


def test_nobody_there_is_said_with_the_address():
    with pytest.raises(ClusterError, match=r"cannot be asked: http://127\.0\.0\.1:9: .*refused"):
        ResourceManager(["http://127.0.0.1:9"]).nodes()


@pytest.mark.parametrize(
    "attempt", [{"elapsedTime": "x"}, {"diagnostics": 3}, {"attempt": {"startTime": "x", "containerId": 3}}]
)
def test_progress_with_values_of_another_kind_is_said(manager, attempt):
    one = {"id": 1, "finishedTime": 5, "startTime": 1, "containerId": "c", **attempt.pop("attempt", {})}
    app = {"state": "FINISHED", **attempt}
    content = json.dumps({"app": app, "appAttempts": {"appAttempt": [one]}}).encode()
    _, address = manager(lambda path: (200, content, {}))
    with pytest.raises(ClusterError, match="something else than expected"):
        app_monitor.update(Progress("application_1_1"), ResourceManager([address]))


@pytest.mark.parametrize(
    ("calculator", "counts_cores"), [("Dominant", True), ("Default", False), (None, None)]
)  # fmt: skip
def test_whether_queues_share_cores_stands_in_the_scheduler_s_own_file(tmp_path, monkeypatch, calculator, counts_cores):
    monkeypatch.setenv("HADOOP_CONF_DIR", str(tmp_path))
    monkeypatch.delenv("YARN_CONF_DIR", raising=False)
    key, classes = "yarn.scheduler.capacity.resource-calculator", "org.apache.hadoop.yarn.util.resource"
    value = f"<value>{classes}.{calculator}ResourceCalculator</value>"
    text = f"<configuration><property><name>{key}</name>{value}</property></configuration>"
    if calculator:
        (tmp_path / "capacity-scheduler.xml").write_text(text)
    assert limits.counts_cores(hadoop_conf.read_scheduler()) is counts_cores
