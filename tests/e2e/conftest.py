"""Project folders with a small demo in them, run by the real command line in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
sys.path.append(str(REPOSITORY / "benchmarks"))
from spark_counts import Counts, Watched, by_stage  # noqa: E402

PARTS = ("conf", "src", "notebooks", "pyproject.toml", "README.md", ".telemetry")
SMALL = {"stdlib": {"n_serps": 3000, "n_intents": 120}, "network": {"n_serps": 1200, "n_intents": 40}}
LOCAL_SPARK = (REPOSITORY / "conf" / "test" / "spark.yml").read_text()
OTHER_PARTITIONS = "spark.master: local[1]\nspark.sql.shuffle.partitions: 3\nspark.ui.enabled: 'false'\n"
LOCAL_PARAMETERS = "training: {n_trials: 2, batch_size: 2, n_rounds: 20}\n"


class CommandServer:
    """A process that runs one command line after the other; see command_server.py."""

    def __init__(self, folder: Path) -> None:
        self._output = folder / "output"
        command = [sys.executable, str(Path(__file__).with_name("command_server.py"))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=folder)

    def run(self, folder: Path, *arguments: str) -> tuple[int, str]:
        """Return (exit code, what was printed)."""
        request = {"arguments": arguments, "folder": str(folder), "output": str(self._output)}
        self._process.stdin.write(f"{json.dumps(request)}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        output = self._output.read_text()
        assert answer, f"the process ended:\n{output}"
        return int(answer), output

    def stop(self) -> None:
        self._process.communicate(timeout=60)


@dataclass(frozen=True)
class Project:
    """A folder that a user could have: the repository's, with data of its own."""

    path: Path
    server: CommandServer | None = None

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=self.path,
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def kedro(self, *arguments: str, expect: int = 0, **environment: str) -> str:
        return self._run("kedro", *arguments, expect=expect, **environment)

    def rankhammer(self, *arguments: str, expect: int = 0) -> str:
        return self._run("rankhammer", *arguments, expect=expect)

    def served_by(self, server: CommandServer) -> Project:
        """Let commands run in a process whose Spark is warm, instead of in one of their own each."""
        return replace(self, server=server)

    def _run(self, *arguments: str, expect: int, **environment: str) -> str:
        if self.server is not None and not environment:
            code, output = self.server.run(self.path, *arguments)
        else:
            process = self.start(*arguments, **environment)
            output, _ = process.communicate(timeout=400)
            code = process.returncode
        assert code == expect, output
        return output

    def configure(self, name: str, text: str, env: str = "local") -> None:
        (self.path / "conf" / env).mkdir(exist_ok=True)
        (self.path / "conf" / env / name).write_text(text)

    @staticmethod
    def warnings(output: str) -> list[str]:
        """Lines that warn."""
        return [line for line in output.splitlines() if "WARN" in line.upper()]

    def summary(self) -> dict[str, Any]:
        return json.loads((self.path / "data/08_reporting/run_summary.json").read_text())

    def digests(self) -> dict[str, str]:
        found = json.loads(self.rankhammer("handoffs", "--json"))
        return {handoff["name"]: handoff["digest"] for handoff in found}

    def copy(self, path: Path) -> Project:
        shutil.copytree(self.path, path, symlinks=True)
        return replace(self, path=path)


@pytest.fixture(scope="session")
def small_project(tmp_path_factory) -> Project:
    """A project with the demo's input in small, not run yet. Copy it before changing it."""
    from rankhammer.demo import SIZES, make_demo

    project = Project(tmp_path_factory.mktemp("e2e") / "project")
    project.path.mkdir()
    for part in PARTS:
        source = REPOSITORY / part
        if part == "src":
            # Kedro wants a folder of the project's own; what is in it is compiled already.
            (project.path / part).mkdir()
            (project.path / part / "rankhammer").symlink_to(source / "rankhammer")
        elif source.is_dir():
            shutil.copytree(source, project.path / part, ignore=shutil.ignore_patterns("__pycache__", "local"))
        else:
            shutil.copy(source, project.path / part)
    project.configure("spark.yml", LOCAL_SPARK)
    project.configure("parameters.yml", LOCAL_PARAMETERS)
    sizes = {name: replace(SIZES[name], **change) for name, change in SMALL.items()}
    make_demo(project.path / "data/01_raw/demo", random_state=42, sizes=sizes)
    return project


@pytest.fixture(scope="session")
def command_server(tmp_path_factory) -> Iterator[CommandServer]:
    """A process for the commands of tests that are not about processes."""
    server = CommandServer(tmp_path_factory.mktemp("commands"))
    yield server
    server.stop()


@pytest.fixture
def own_server(tmp_path) -> Iterator[CommandServer]:
    """As command_server, for a test whose Spark has settings of its own."""
    server = CommandServer(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def warm_project(small_project, command_server) -> Project:
    """As small_project, with commands that start no JVM of their own."""
    return small_project.served_by(command_server)


@pytest.fixture
def warm_finished(finished_project, command_server) -> Project:
    """As finished_project, with commands that start no JVM of their own."""
    return finished_project[0].served_by(command_server)


@pytest.fixture(scope="session")
def counted_run(small_project, tmp_path_factory) -> tuple[Project, str, dict[str, Counts]]:
    """A project after an undisturbed `kedro run`, what that printed, and what each stage asked of Spark."""
    folder = tmp_path_factory.mktemp("e2e")
    project, watched = small_project.copy(folder / "finished"), Watched(folder / "watched")
    project.configure("spark.yml", LOCAL_SPARK + watched.settings())
    output = project.kedro("run", **watched.environment())
    # What is run in it later is not counted.
    project.configure("spark.yml", LOCAL_SPARK)
    return project, output, by_stage(watched.counts())


@pytest.fixture(scope="session")
def finished_project(counted_run) -> tuple[Project, str]:
    """A project after an undisturbed `kedro run`, and what that printed. Copy it before changing it."""
    return counted_run[:2]


@pytest.fixture(scope="session")
def run_in_terminal(finished_project, tmp_path_factory) -> tuple[Project, Terminal]:
    """A copy of that project after a second `kedro run`, on other partitions, and the terminal that it was typed in."""
    project = finished_project[0].copy(tmp_path_factory.mktemp("e2e") / "again")
    project.configure("spark.yml", OTHER_PARTITIONS)
    terminal = Terminal((sys.executable, "-m", "kedro", "run"), project.path)
    assert terminal.ended(within_s=400) == 0, terminal.text
    return project, terminal


@pytest.fixture(scope="session")
def finished_run(finished_project) -> Path:
    """Folder of a project whose data is complete."""
    return finished_project[0].path
