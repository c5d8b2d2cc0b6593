"""Answers as the web UI of a running application does, on a free port of this machine."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

APPLICATION = "application_1_0001"


def ago(seconds):
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000GMT")


class Ui:
    """What is answered, by path below the application; an int is a status, bytes are sent as they are,
    what a function returns is."""

    def __init__(self, name="app", completed=False):
        self.base = ""
        attempt = {"completed": completed, "startTimeEpoch": 1}
        self.answers = {"": [{"id": APPLICATION, "name": name, "attempts": [attempt]}]}
        self.answers |= {"/stages": [], "/allexecutors": [self.executor("1")]}

    @staticmethod
    def executor(name, *, active=True, tasks=1, gc=0, reason=None):
        found = {"id": name, "hostPort": f"h{name}:1", "isActive": active, "maxTasks": 2, "activeTasks": tasks}
        return found | {"totalDuration": 100_000, "totalGCTime": gc, "removeReason": reason}

    def stage(self, *, complete=7, active=1, failed=0, submitted=300, tasks=8, duration=240_000, median=200.0):
        """One stage that runs, with one task of 240 s where the others took 200 ms."""
        row = {"status": "ACTIVE", "stageId": 3, "attemptId": 0, "name": "count at x.py:1", "numTasks": tasks}
        row |= {"numActiveTasks": active, "numCompleteTasks": complete, "numFailedTasks": failed}
        row["description"] = "labeling: judge"
        self.answers["/stages"] = lambda: [row | {"submissionTime": ago(submitted)}]
        task = {"taskId": 17, "index": 7, "status": "RUNNING", "executorId": "1", "host": "h1", "duration": duration}
        failures = [{"taskId": 9, "index": 2, "status": "FAILED", "errorMessage": "java.io.IOException: no\n\tat x"}]
        self.answers["/stages/3/0/taskList"] = ([task] if active else []) + (failures if failed else [])
        self.answers["/stages/3/0/taskSummary"] = {"quantiles": [0.5], "executorRunTime": [median]}
        return self

    def threads(self, *frames, executor="1", state="RUNNABLE", tid=17, name=None, **more):
        named = name or f"Executor task launch worker for task 7.0 in stage 3.0 (TID {tid})"
        row = {"threadId": 50, "threadName": named, "threadState": state, "stackTrace": {"elems": list(frames)}}
        self.answers[f"/executors/{executor}/threads"] = [row | more, {"threadName": "main", "threadState": "WAITING"}]
        return self


@contextmanager
def served(ui):
    """Serve until the end of the block."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            path = urlsplit(self.path).path.removeprefix("/api/v1/applications").removeprefix(f"/{APPLICATION}")
            answer = ui.answers.get(path, 404)
            answer = answer() if callable(answer) else answer
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(answer if isinstance(answer, int) else 200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        ui.base = f"http://127.0.0.1:{server.server_port}"
        yield ui.base
    finally:
        server.shutdown()
        server.server_close()
