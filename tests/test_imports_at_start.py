"""What is imported before something is shown: modules, not seconds, so that no slow machine breaks these rules."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import rankhammer

HEAVY = ("kedro", "hyperopt", "numpy", "pandas", "plotly", "py4j", "pyarrow", "pydantic", "pyspark", "scipy", "xgboost")
SHOW = "\nprint(*sorted({name.partition('.')[0] for name in sys.modules} & {%s}))"
HELP = """
import sys
from rankhammer.cli.main import main
sys.argv[1:] = ["--help"]
try:
    main()
except SystemExit:
    pass
"""
FIRST_LINE = """
import sys
from rankhammer import display
with display.shown("reading the project"):
    pass
"""
FIRST_TASK = """
import sys
from pyspark import worker
from rankhammer.click_models.counts import pattern_counts as counting
from rankhammer.feature_sources.embedded import index_build
from rankhammer.queries import clusters
"""


def imported(script: str, *names: str) -> list[str]:
    return said(script + SHOW % ", ".join(map(repr, names))).split()


def said(script: str) -> str:
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()[-1]


def test_help_imports_nothing_heavy():
    assert imported(HELP, *HEAVY, "rich", "omegaconf", "fsspec") == []


def test_the_first_line_of_a_run_is_shown_before_anything_heavy_is_imported():
    assert imported(FIRST_LINE, *HEAVY, "omegaconf", "fsspec") == []


def test_the_tables_first_task_in_a_worker_imports_no_part_of_training_and_no_kedro():
    assert imported(FIRST_TASK, "kedro", "hyperopt", "networkx", "plotly", "xgboost", "kedro_viz") == []


def test_the_list_of_what_is_imported_is_right():
    assert imported("import sys, json, numpy\n", "numpy", "json", "pandas") == ["json", "numpy"]


def test_xgboost_comes_without_scikit_learn_unless_it_was_imported_before():
    assert imported("import sys\nfrom rankhammer.light_xgboost import xgb\n", "sklearn", "xgboost") == ["xgboost"]
    whole = "import sys, xgboost\nfrom rankhammer.light_xgboost import xgb\nassert xgb.XGBRanker()\n"
    assert imported(whole, "sklearn") == ["sklearn"]
    later = "import sys\nfrom rankhammer.light_xgboost import xgb\nimport sklearn\n"
    assert imported(later, "sklearn") == ["sklearn"]


def test_all_of_the_package_imports_xgboost_in_the_light_way():
    package = Path(rankhammer.__file__).parent
    light, probe = package / "light_xgboost.py", package / "yarn" / "probe.py"  # probe: runs where the package is not
    at_run_time = re.compile(r"^(import xgboost|from xgboost)|^ +import xgboost", re.MULTILINE)
    others = [path for path in package.rglob("*.py") if path not in (light, probe)]
    assert [path.name for path in others if at_run_time.search(path.read_text())] == []
    assert at_run_time.search(light.read_text())


def test_hyperopt_comes_without_scipy_stats_and_has_it_when_it_is_needed():
    light = "import sys\nfrom rankhammer.training.light_hyperopt import hyperopt\n"
    stats = "print('scipy.stats' in sys.modules)"
    assert said(light + stats) == "False"
    assert said(light + "assert hyperopt.atpe.scipy.stats.skew([1, 2, 3]) == 0\n" + stats) == "True"
    assert said(f"import scipy.stats\n{light}" + stats) == "True"


def test_all_of_the_package_imports_hyperopt_in_the_light_way():
    package = Path(rankhammer.__file__).parent
    at_run_time = re.compile(r"^ *(import|from) hyperopt", re.MULTILINE)
    found = [path.name for path in package.rglob("*.py") if at_run_time.search(path.read_text())]
    assert found == ["light_hyperopt.py"]
