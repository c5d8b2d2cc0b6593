"""An emulator of AWS that really answers SQL of Athena: over tables of Glue, and files of an S3 of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = Path(__file__).parents[2] / ".venvs" / "ministack" / "bin" / "ministack"
STARTS_WITHIN_S = 60
_ANSWERS = "answers"


class Ministack:
    """One that runs.

    Args:
        url: Of all its services.
        keys: Any pair.
    """

    def __init__(self, url: str, keys: dict[str, str]) -> None:
        self.url = url
        self.keys = {name.lower(): value for name, value in keys.items()}

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, region_name="us-east-1", **self.keys)

    def mirror(self, s3: Any, bucket: str) -> int:
        """Copy a bucket of another server: it reads none but its own. Return how many objects there are."""
        own, n = self.client("s3"), 0
        for name in (bucket, _ANSWERS):
            own.create_bucket(Bucket=name)
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", ()):
                content = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                own.put_object(Bucket=bucket, Key=entry["Key"], Body=content)
                n += 1
        return n

    def ask(self, database: str, statement: str) -> list[list[str]]:
        """Return the rows of an answer, the names of the columns first; a statement that fails is an error."""
        athena = self.client("athena")
        asked = {"QueryString": statement, "QueryExecutionContext": {"Database": database}}
        asked["ResultConfiguration"] = {"OutputLocation": f"s3://{_ANSWERS}/"}
        number = athena.start_query_execution(**asked, WorkGroup="primary")["QueryExecutionId"]
        while True:
            status = athena.get_query_execution(QueryExecutionId=number)["QueryExecution"]["Status"]
            if status["State"] not in ("QUEUED", "RUNNING"):
                break
            time.sleep(0.05)
        assert status["State"] == "SUCCEEDED", (statement, status)
        rows = athena.get_query_results(QueryExecutionId=number)["ResultSet"]["Rows"]
        return [[cell.get("VarCharValue", "") for cell in row["Data"]] for row in rows]


@contextmanager
def ministack(folder: Path) -> Iterator[Ministack]:
    """Start one on this machine alone, and end it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    if not PROGRAM.exists():
        (pytest.fail if os.environ.get("RANKHAMMER_REQUIRE_ENGINES") else pytest.skip)(
            "make .venvs/ministack/bin/ministack"
        )
    environ = {**os.environ, "BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "ATHENA_ENGINE": "duckdb"}
    environ |= {"TMPDIR": str(folder), "S3_DATA_DIR": str(folder / "s3")}
    with (folder / "ministack.log").open("w") as log:
        process = subprocess.Popen([PROGRAM], cwd=folder, env=environ, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + STARTS_WITHIN_S
        while not _answers(url):
            assert process.poll() is None, (folder / "ministack.log").read_text()
            assert time.monotonic() < deadline, (folder / "ministack.log").read_text()
            time.sleep(0.1)
        yield Ministack(url, {"AWS_ACCESS_KEY_ID": "made", "AWS_SECRET_ACCESS_KEY": "up"})
    finally:
        process.terminate()
        process.wait(20)


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=5):
        return True
    return False
