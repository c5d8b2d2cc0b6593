"""What is imported before something is shown: modules, not seconds, so that no slow machine breaks these rules."""

from __future__ import annotations

import subprocess
import sys

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
    listed = script + SHOW % ", ".join(map(repr, names))
    answer = subprocess.run([sys.executable, "-c", listed], capture_output=True, text=True, check=True)
    return answer.stdout.splitlines()[-1].split()


def test_help_imports_nothing_heavy():
    assert imported(HELP, *HEAVY, "rich", "omegaconf", "fsspec") == []


def test_the_first_line_of_a_run_is_shown_before_anything_heavy_is_imported():
    assert imported(FIRST_LINE, *HEAVY, "omegaconf", "fsspec") == []


def test_the_tables_first_task_in_a_worker_imports_no_part_of_training_and_no_kedro():
    assert imported(FIRST_TASK, "kedro", "hyperopt", "networkx", "plotly", "xgboost", "kedro_viz") == []


def test_the_list_of_what_is_imported_is_right():
    assert imported("import sys, json, numpy\n", "numpy", "json", "pandas") == ["json", "numpy"]
