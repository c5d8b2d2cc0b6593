"""Help texts are whole, completion works, and one table has every exit code."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from rankhammer import exit_codes
from rankhammer.cli.main import cli, rankhammer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text()
NAMES = {name: value for name, value in vars(exit_codes).items() if isinstance(value, int)}
GROUPS = {"rankhammer": rankhammer, "runs": rankhammer.commands["runs"], "kedro's": cli}


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("width", [60, 80, 200])
def test_no_help_text_is_cut(name: str, width: int) -> None:
    shown = CliRunner().invoke(GROUPS[name], ["--help"], terminal_width=width)
    listed = shown.output.partition("Commands:")[2]
    assert listed
    assert [line for line in listed.splitlines() if line.endswith("...")] == []


def test_the_first_sentences_of_commands_are_short_enough_to_read() -> None:
    long = {name: command.get_short_help_str(1000) for name, command in rankhammer.commands.items()}
    assert {name: text for name, text in long.items() if len(text) > 110} == {}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_line_of_the_docs_completes_commands(shell: str) -> None:
    assert f"_RANKHAMMER_COMPLETE={shell}_source rankhammer" in PAGE
    script = "import sys; sys.argv[0] = 'rankhammer'; from rankhammer.cli.main import main; main()"
    asks = {"_RANKHAMMER_COMPLETE": f"{shell}_complete", "COMP_WORDS": "rankhammer init", "COMP_CWORD": "1"}
    if shell == "fish":
        asks["COMP_CWORD"] = "init"
    done = subprocess.run(
        [sys.executable, "-c", script], env={**os.environ, **asks}, capture_output=True, text=True, check=False
    )
    assert "init-log" in done.stdout


def test_the_table_has_every_exit_code_with_its_meaning() -> None:
    table = PAGE.partition("## Exit codes")[2].partition("## ")[0]
    rows = dict(re.findall(r"^\| (\d+) \| (.*) \|$", table, re.MULTILINE))
    assert {int(code) for code in rows} == set(exit_codes.MEANINGS) == set(NAMES.values())


def test_no_command_ends_with_a_number_that_has_no_name() -> None:
    """A command's function returns an exit code: 0 or a name, never another number."""
    trees = [ast.parse(path.read_text()) for path in sorted((ROOT / "src/rankhammer/cli").glob("*.py"))]
    calls = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Return | ast.Call)]
    ends = [
        node.value if isinstance(node, ast.Return) else node.args[0]
        for node in calls
        if isinstance(node, ast.Return) or (ast.unparse(node.func) == "sys.exit" and node.args)
    ]
    numbers = {end.value for end in ends if isinstance(end, ast.Constant) and type(end.value) is int}
    assert numbers <= {0}
