"""A real HDFS, YARN and S3, started once; a small project whose prod runs on them, and one undisturbed run of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import cluster as dev_cluster
import hadoop_cluster
import psutil
import pytest

from rankhammer.errors import ClusterError
from rankhammer.yarn import hadoop_conf, resource_manager

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).parents[2]
PARTS = (
    "conf",
    "dev",
    "src",
    "pyproject.toml",
    "README.md",
    ".telemetry",
    "requirements.lock",
    "requirements-rankers.lock",
)
SMALL = {"stdlib": {"n_serps": 3000, "n_intents": 120}, "network": {"n_serps": 1200, "n_intents": 40}}
QUICK = "training: {n_trials: 4, batch_size: 2, n_rounds: 20}\n"
PATIENCE_S = 600
NOT_ENDED = ("NEW", "NEW_SAVING", "SUBMITTED", "ACCEPTED", "RUNNING")


@dataclass
class Run:
    """A command that runs on the cluster; what it prints is read as it comes."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self.process.stdout as on_progress:
            self.lines.extend(line.rstrip("\n") for line in on_progress)

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_for(self, said: str | Callable[[], object]) -> None:
        """Wait until the command has printed something, or until something is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not (said() if callable(said) else said in self.output):
            assert self.process.poll() is None, f"ended before {said!r}:\n{self.output}"
            assert time.monotonic() < deadline, f"never came to {said!r}:\n{self.output}"
            time.sleep(0.1)

    def end(self, expect: int | None = 0) -> str:
        """Wait for the end; return all that was printed."""
        self.process.wait(PATIENCE_S)
        self._reader.join(30)
        assert expect is None or self.process.returncode == expect, self.output
        return self.output


@dataclass(frozen=True)
class Site:
    """A cluster and a project folder that uses it."""

    folder: Path
    project: Path
    variables: dict[str, str] = field(repr=False)
    started: list[subprocess.Popen[str]] = field(default_factory=list, repr=False)

    @property
    def hadoop(self) -> Path:
        return self.folder / "hadoop"

    @property
    def conf(self) -> Path:
        return self.hadoop / "conf"

    @property
    def s3(self) -> Path:
        return self.folder / "s3"

    @property
    def secret(self) -> str:
        return self.variables["AWS_SECRET_ACCESS_KEY"]

    def start(self, *arguments: str, typed: str = "", **environment: str) -> Run:
        """Start a command.

        Args:
            arguments: Its module and arguments.
            typed: What somebody types into it.
            environment: Variables over the cluster's.
        """
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=self.project,
            env={**os.environ, **self.variables, "PYTHONUNBUFFERED": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.PIPE,
            text=True,
        )
        self.started.append(process)
        process.stdin.write(typed)
        process.stdin.close()
        return Run(process)

    def kedro(self, *arguments: str, expect: int = 0, **environment: str) -> str:
        return self.start("kedro", *arguments, "--env=prod", **environment).end(expect)

    def clear(self) -> None:
        """End what a test that failed has left running, here and on YARN: it would take the next one's place."""
        for process in self.started:
            if process.poll() is None:
                process.kill()
                process.wait()
        self.started.clear()
        left = hadoop_cluster.resource_manager(self.hadoop, f"cluster/apps?states={','.join(NOT_ENDED)}")["apps"]
        manager = resource_manager.ResourceManager(resource_manager.web_addresses(hadoop_conf.read([self.conf])))
        for application in (left or {"app": []})["app"]:
            manager.kill(application["id"])

    def end(self) -> None:
        """End the servers, and what still uses them."""
        # Where the ResourceManager is down, its applications end with the nodes.
        with contextlib.suppress(ClusterError, OSError):
            self.clear()
        dev_cluster.stop(self.folder)

    def configure(self, name: str, text: str) -> None:
        (self.project / "conf" / "prod" / name).write_text(text)

    def heal(self) -> None:
        """Start again what a test has taken down, and wait until all of it answers."""
        dev_cluster.start(self.folder)

    def dfsadmin(self, *arguments: str) -> str:
        done = hadoop_cluster.tool(self.hadoop, "dfsadmin", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def published(self) -> dict[str, str]:
        """Return the published files by path, as digests of their bytes; read by a client of its own."""
        done = subprocess.run(
            [sys.executable, "-c", PUBLISHED], cwd=self.project, env={**os.environ, **self.variables},
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        return dict(line.split("\t") for line in done.stdout.splitlines() if "\t" in line)

    def containers(self, main_class: str) -> list[int]:
        """Return the processes of containers that run a Java class."""
        return [
            process.pid
            for process in psutil.process_iter(["cmdline", "cwd"])
            if main_class in (process.info["cmdline"] or ())
            and str(process.info["cwd"] or "").startswith(str(self.hadoop))
        ]


PUBLISHED = """
import hashlib
from pathlib import Path
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
bootstrap_project(Path.cwd())
with KedroSession.create(env="prod") as session:
    for name, content in sorted(session.load_context().catalog["exported_model"].load_all().items()):
        print(name, hashlib.sha256(content).hexdigest(), sep="\\t")
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Iterator[Site]:
    """The cluster, with a small demo on its HDFS; a test that breaks something calls `heal`."""
    from dataclasses import replace

    from rankhammer.demo import SIZES, make_demo
    from rankhammer.spark import java

    why = dev_cluster.missing()
    if why:
        (pytest.fail if os.environ.get("RANKHAMMER_REQUIRE_ENGINES") else pytest.skip)(why)
    folder = tmp_path_factory.mktemp("chaos")
    project = folder / "project"
    project.mkdir()
    for part in PARTS:
        _copy(REPOSITORY / part, project / part)
    (project / "conf" / "prod" / "parameters.yml").write_text(QUICK)
    spark = project / "conf" / "prod" / "spark.yml"
    # All runs are short here: docs/production.md.
    quick = spark.read_text().replace("-XX:+UseG1GC", "-XX:+UseSerialGC")
    assert f"spark.driver.extraJavaOptions: {java.SHORT_LIVED}" in quick
    spark.write_text(f"{quick}spark.executor.extraJavaOptions: {java.SHORT_LIVED}\n")
    make_demo(folder / "demo", random_state=42, sizes={n: replace(SIZES[n], **change) for n, change in SMALL.items()})
    started = Site(folder, project, {})
    try:
        started.variables.update(dev_cluster.start(folder, folder / "demo"))
        yield started
    finally:
        started.end()


@pytest.fixture(scope="session")
def baseline(site) -> dict[str, str]:
    """What an undisturbed run publishes."""
    # The whole line at once: the cluster's Spark starts, and its containers are prepared, one time only.
    site.kedro("run")
    return site.published()


@pytest.fixture(autouse=True)
def _alone(site) -> Iterator[None]:
    """Whatever a test has left running ends with it."""
    yield
    site.clear()


@pytest.fixture(autouse=True)
def _seconds(request, capsys) -> Iterator[None]:
    """Print what each fault takes."""
    started = time.monotonic()
    yield
    with capsys.disabled():
        sys.stdout.write(f"\n  {request.node.name}: {time.monotonic() - started:.0f} s\n")


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("local", "__pycache__", "*.egg-info"))
    else:
        shutil.copy(source, target)
