"""Which module may import which: the contracts stand in pyproject.toml under [tool.importlinter]."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
CONTRACTS = {
    contract["id"]: contract
    for contract in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
}
STARTS_LATER = ("kedro", "pyspark", "pandas", "numpy", "xgboost", "hyperopt", "sklearn", "plotly")


def _lint_imports(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        "from importlinter.cli import lint_imports_command as lint; lint()",
        "--no-cache",
        *options,
    ]
    environ = {**os.environ, "PYTHONPATH": str(project / "src"), "COLUMNS": "200"}
    return subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False)


def _new_modules(code: str) -> set[str]:
    script = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*(set(sys.modules) - before))"
    found = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in found.stdout.split()}


BREACHES = {
    "evaluation/metrics": "import rankhammer.datasets",
    "click_models/base": "import rankhammer.click_logs",
    "brand_new": "",
    "pipelines/folding/nodes": "import rankhammer.pipelines.export",
    "exporters/base": "import kedro.io",
}
"""Module to a line that it must not hold; a module that has no place yet must not be there at all."""


def test_contracts_notice_every_import_against_them(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, line in BREACHES.items():
        with (tmp_path / "src" / "rankhammer" / f"{module}.py").open("a") as file:
            file.write(f"\n{line}\n")
    answer = _lint_imports(tmp_path, "--contract", "stages", "--contract", "no-kedro")
    for contract in ("stages", "no-kedro"):
        assert f"{CONTRACTS[contract]['name']} BROKEN" in answer.stdout
    # A module without a place stops the contract of the layers before it looks at anything else.
    assert "brand_new" in _lint_imports(tmp_path, "--contract", "layers").stdout
    (tmp_path / "src" / "rankhammer" / "brand_new.py").unlink()
    message = _lint_imports(tmp_path, "--contract", "layers").stdout
    for module in ("evaluation.metrics", "click_models.base"):
        assert f"rankhammer.{module} -> " in message, message


def test_everything_below_the_datasets_is_under_the_no_kedro_contract() -> None:
    layers = CONTRACTS["layers"]["layers"]
    below = " | ".join(layers[layers.index("datasets") + 1 :]).replace(":", "|")
    names = {name.strip(" ()") for name in below.split("|")}
    exist = {name for name in names if list((ROOT / "src" / "rankhammer").glob(f"{name}*"))}
    assert {f"rankhammer.{name}" for name in exist} == set(CONTRACTS["no-kedro"]["source_modules"])


def test_every_stage_is_under_the_stages_contract() -> None:
    folders = (path.parent.name for path in (ROOT / "src" / "rankhammer" / "pipelines").glob("*/__init__.py"))
    assert {f"rankhammer.pipelines.{name}" for name in folders} == set(CONTRACTS["stages"]["modules"])


def test_command_line_starts_without_the_big_packages() -> None:
    assert _new_modules("import rankhammer.cli.main").isdisjoint(STARTS_LATER)


def test_java_module_needs_the_standard_library_only() -> None:
    loaded = _new_modules("import sys\nsys.path.insert(0, 'src')\nimport rankhammer.spark.java")
    assert loaded - set(sys.stdlib_module_names) - {"_sysconfigdata__linux_x86_64-linux-gnu"} == {"rankhammer"}
