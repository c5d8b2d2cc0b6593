"""Project folders with a small demo in them, run by the real command line in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).parents[2]
PARTS = ("conf", "src", "notebooks", "pyproject.toml", "README.md", ".telemetry")
SMALL = {"stdlib": {"n_serps": 3000, "n_intents": 120}, "network": {"n_serps": 1200, "n_intents": 40}}
LOCAL_SPARK = (REPOSITORY / "conf" / "test" / "spark.yml").read_text()
LOCAL_PARAMETERS = "training: {n_trials: 2, batch_size: 2, n_rounds: 20}\n"


JVM_NOTICE = "WARNING: Using incubator modules: jdk.incubator.vector"


@dataclass(frozen=True)
class Project:
    """A folder that a user could have: the repository's, with data of its own."""

    path: Path

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
        process = self.start("kedro", *arguments, **environment)
        output, _ = process.communicate(timeout=400)
        assert process.returncode == expect, output
        return output

    def rankhammer(self, *arguments: str, expect: int = 0) -> str:
        process = self.start("rankhammer", *arguments)
        output, _ = process.communicate(timeout=200)
        assert process.returncode == expect, output
        return output

    def configure(self, name: str, text: str, env: str = "local") -> None:
        (self.path / "conf" / env).mkdir(exist_ok=True)
        (self.path / "conf" / env / name).write_text(text)

    @staticmethod
    def warnings(output: str) -> list[str]:
        """Lines that warn, but for what the JVM itself says of a module that Spark asks it for."""
        return [line for line in output.splitlines() if "WARN" in line.upper() and line != JVM_NOTICE]

    def summary(self) -> dict[str, Any]:
        return json.loads((self.path / "data/08_reporting/run_summary.json").read_text())

    def digests(self) -> dict[str, str]:
        output = self.rankhammer("handoffs", "--json")
        found = json.loads(output.removeprefix(JVM_NOTICE))
        return {handoff["name"]: handoff["digest"] for handoff in found}

    def copy(self, path: Path) -> Project:
        shutil.copytree(self.path, path, symlinks=True)
        return Project(path)


@pytest.fixture(scope="session")
def small_project(tmp_path_factory) -> Project:
    """A project with the demo's input in small, not run yet. Copy it before changing it."""
    from rankhammer.demo import SIZES, make_demo

    project = Project(tmp_path_factory.mktemp("e2e") / "project")
    project.path.mkdir()
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir():
            shutil.copytree(source, project.path / part, ignore=shutil.ignore_patterns("__pycache__", "local"))
        else:
            shutil.copy(source, project.path / part)
    project.configure("spark.yml", LOCAL_SPARK)
    project.configure("parameters.yml", LOCAL_PARAMETERS)
    sizes = {name: replace_fields(SIZES[name], **change) for name, change in SMALL.items()}
    make_demo(project.path / "data/01_raw/demo", random_state=42, sizes=sizes)
    return project


@pytest.fixture(scope="session")
def finished_project(small_project, tmp_path_factory) -> tuple[Project, str]:
    """A project after an undisturbed `kedro run`, and what that printed. Copy it before changing it."""
    project = small_project.copy(tmp_path_factory.mktemp("e2e") / "finished")
    return project, project.kedro("run")


@pytest.fixture(scope="session")
def finished_run(finished_project) -> Path:
    """Folder of a project whose data is complete."""
    return finished_project[0].path


def replace_fields(size: Any, **change: int) -> Any:
    from dataclasses import replace

    return replace(size, **change)
