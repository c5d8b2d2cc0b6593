"""The built wheel in a fresh environment: a project of a user's own, as docs/tutorial.md goes on up to the engine.

Packages come from uv's cache, where set-up has put them: nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text()
BUILT_FROM = ("src", "conf/base", "conf/prod", "examples", "notebooks", "dev", "packages/rankhammer-doctor/src")
SMALL = """\
training: {n_trials: 1, batch_size: 1, n_rounds: 10}
folding: {n_folds: 2}
labeling: {held_out: {enabled: false}}
"""

pytestmark = [pytest.mark.budget("wheel"), pytest.mark.slow_start]


def run(command: list[str], folder: Path, *, expect: int = 0, **environ: str) -> str:
    """Return what a command prints; it must end with the exit code expected."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "HADOOP_CONF_DIR")}
    done = subprocess.run(
        command, cwd=folder, env={**kept, **environ}, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def commands(tmp_path_factory) -> Path:
    """Folder of the commands of a fresh environment that holds the locked packages and the wheel, not the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    source, uv = folder / "source", [sys.executable, "-m", "uv"]
    _copy_sources(source)
    # By this environment's setuptools, which the lock pins.
    build = ("--offline", "--wheel", "--no-build-isolation", "--python", sys.executable)
    run([*uv, "build", "--quiet", *build, "--out-dir", str(folder), "."], source)
    run([*uv, "venv", "--quiet", "--offline", "--python", sys.executable, str(folder / "venv")], folder)
    (wheel,) = folder.glob("*.whl")
    into = ["--offline", "--quiet", "--no-deps", "--python", str(folder / "venv/bin/python")]
    run([*uv, "pip", "install", *into, "-r", str(ROOT / "requirements.lock"), str(wheel)], folder)
    return folder / "venv" / "bin"


def _copy_sources(target: Path) -> None:
    for part in BUILT_FROM:
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / part, target / part, ignore=ignored)
    for pattern in ("*.toml", "*.py", "*.in", "*.md", "LICENSE", "requirements*.lock", ".telemetry"):
        for path in ROOT.glob(pattern):
            shutil.copy(path, target)
    for path in [*ROOT.glob("data/*/.gitkeep"), ROOT / "conf/local/.gitkeep", ROOT / "conf/logging.yml"]:
        (target / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target / path.relative_to(ROOT))


@pytest.fixture(scope="module")
def project(commands, tmp_path_factory) -> Path:
    """A project folder with the tutorial's data and settings, not run yet."""
    folder = tmp_path_factory.mktemp("work") / "shop"
    run([str(commands / "rankhammer"), "new", str(folder)], folder.parent)
    (folder / "conf/local/parameters").mkdir()
    shutil.copy(ROOT / "conf/test/spark.yml", folder / "conf/local/spark.yml")
    (folder / "conf/local/parameters/small.yml").write_text(SMALL)
    (script,) = re.findall(r"^```python\n(.*?)^```", TUTORIAL, re.MULTILINE | re.DOTALL)
    (folder / "make_log.py").write_text(script)
    run([sys.executable, "make_log.py"], folder)
    (command,) = re.findall(r"^    rankhammer (init-log .*)$", TUTORIAL, re.MULTILINE)
    run([str(commands / "rankhammer"), *command.split()], folder)
    return folder


def _settings(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^`(conf/local/[\w/.]+)`.*?^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_package_is_the_wheel_and_not_the_checkout(commands, project):
    where = run([str(commands / "python"), "-c", "import rankhammer; print(rankhammer.__file__)"], project)
    assert Path(where.strip()).is_relative_to(commands.parent)


def test_a_csv_becomes_a_ranker_that_answers_a_search(commands, project):
    output = run([str(commands / "kedro"), "run"], project)
    assert "ranker" in output
    summary = json.loads((project / "data/08_reporting/run_summary.json").read_text())
    assert list(summary["corpora"]) == ["main"]
    answer = run([str(commands / "rankhammer"), "rank", "main", "-q", "red shoe", "--json"], project)
    first = json.JSONDecoder().raw_decode(answer[answer.index("[") :])[0][0]
    assert first["rank"] == 1


def test_the_demo_is_made_in_a_folder_of_one_s_own(commands, tmp_path):
    run([str(commands / "rankhammer"), "new", "mine"], tmp_path)
    made = run([str(commands / "rankhammer"), "demo", "--json"], tmp_path / "mine")
    assert "stdlib" in made
    assert (tmp_path / "mine/data/01_raw/demo/click_log").is_dir()


def test_the_doctor_comes_with_the_wheel(commands, project):
    checked = json.loads(run([str(commands / "rankhammer"), "doctor", "conf", "--json"], project))
    assert (checked["kind"], checked["counts"]["error"]) == ("conf", 0)
    where = run(
        [str(commands / "python"), "-c", "import rankhammer_doctor; print(rankhammer_doctor.__file__)"], project
    )
    assert Path(where.strip()).is_relative_to(commands.parent)


def test_production_is_configured_alike(commands, project):
    output = run([str(commands / "rankhammer"), "submit", "--env=prod", "--dry-run"], project, expect=2)
    assert "Neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set" in output
    script = (
        "from pathlib import Path\nfrom rankhammer.yarn import environment, package\nhere = Path.cwd()\n"
        "print(environment.plan(here).name)\nprint(package.build_wheel(here))\n"
    )
    cache = str(project / "cache")
    archive, wheel = run([str(commands / "python"), "-c", script], project, XDG_CACHE_HOME=cache).split()
    assert archive.startswith("env-")
    assert Path(wheel).is_file()


def test_settings_of_the_tutorial_for_solr_are_those_that_the_stages_take(commands, project, tmp_path):
    """What needs a running Solr is left out here; options that do not exist would stop the plan."""
    copy = tmp_path / "shop"
    shutil.copytree(project, copy, symlinks=True)
    for name, text in _settings(TUTORIAL.partition("## 5.")[2]):
        target = copy / name
        target.write_text((target.read_text() if name.endswith("globals.yml") else "") + text)
    output = run([str(commands / "rankhammer"), "plan", "--pipelines=features,train"], copy)
    assert "Error" not in output
