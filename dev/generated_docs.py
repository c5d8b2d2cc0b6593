"""Writes the parts of docs/ that are made from the code: pictures of packages and data, and the command line's page.

    python dev/generated_docs.py

tests/docs/test_generated_docs.py fails where what is committed differs.
"""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import click
import grimp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "rankhammer"
LAYER_NAMES = (
    "Kedro's faces",
    "command line, hooks",
    "what a run is",
    "stages",
    "catalog",
    "what stages are built from",
    "features, rankers, clusters",
    "plugin groups and engines",
    "foundations",
    "contracts",
)
"""One a layer of `[tool.importlinter]`, from the top."""
COMPLETION = (
    ("bash", "~/.bashrc", 'eval "$(_RANKHAMMER_COMPLETE=bash_source rankhammer)"'),
    ("zsh", "~/.zshrc", 'eval "$(_RANKHAMMER_COMPLETE=zsh_source rankhammer)"'),
    ("fish", "~/.config/fish/completions/rankhammer.fish", "_RANKHAMMER_COMPLETE=fish_source rankhammer | source"),
)
"""Shell, its file, and the line that goes there."""


def pages() -> dict[Path, str]:
    """Return the content that each page should have."""
    architecture = ROOT / "docs" / "architecture.md"
    text = architecture.read_text()
    parts = {"packages": package_picture(), "package table": package_table(), "data": data_picture()}
    for name, content in parts.items():
        text = replaced(text, name, content)
    return {architecture: text, ROOT / "docs" / "cli.md": command_page()}


def replaced(text: str, name: str, content: str) -> str:
    """Replace what stands between the marks of a generated part.

    Raises:
        ValueError: The marks are not there.
    """
    pattern = re.compile(rf"(<!-- generated: {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"no part {name!r}")
    return pattern.sub(lambda found: found[1] + content + found[2], text)


def layers() -> list[list[str]]:
    """Return the packages of each layer of the import contract, from the top."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (lines,) = [contract["layers"] for contract in contracts if contract["id"] == "layers"]
    return [sorted(re.split(r"\s*[:|]\s*", line)) for line in lines]


def imports() -> dict[str, set[str]]:
    """Return package to the packages that it imports, as the code has it."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    packages = graph.find_children(PACKAGE)
    for package in packages:
        graph.squash_module(package)
    found = {name: graph.find_modules_directly_imported_by(name) & packages - {name} for name in packages}
    return {_short(name): {_short(other) for other in others} for name, others in found.items()}


def shortest(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    """Leave out each arrow that a longer way stands for."""
    below = {name: _reached(name, arrows) for name in arrows}
    return {
        name: {one for one in others if not any(one in below[other] for other in others - {one})}
        for name, others in arrows.items()
    }


def package_picture() -> str:
    """Draw the packages in their layers; arrows to the contracts, which everything may import, are left out."""
    rows = layers()
    lines = ["```mermaid", "flowchart TB"]
    for place, (title, names) in enumerate(zip(LAYER_NAMES, rows, strict=True)):
        lines += [f'    subgraph layer{place}["{title}"]', *(f"        {name}" for name in names), "    end"]
    arrows = shortest(imports())
    for name in (name for names in rows for name in names):
        lines += [f"    {name} --> {other}" for other in sorted(arrows[name] - {*rows[-1]})]
    return "\n".join([*lines, "```", ""])


def package_table() -> str:
    """List the packages with the first lines of their docstrings."""
    lines = ["| package | what |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {_summary(name)} |" for names in layers() for name in names), ""])


def data_picture() -> str:
    """Draw stages, what they read, and what others read of what they write."""
    from rankhammer.pipeline_registry import BRANCHES, STAGES, register_pipelines

    pipelines = {name: register_pipelines()[name] for name in (*STAGES, *BRANCHES)}
    inputs = {name: _data(pipeline.inputs()) for name, pipeline in pipelines.items()}
    outputs = {name: _data(pipeline.all_outputs()) for name, pipeline in pipelines.items()}
    written = set().union(*outputs.values())
    read = set().union(*inputs.values())
    given = sorted(read - written)
    shown = read | {"exported_model", "exported_judgments", "evaluation"}
    lines = ["```mermaid", "flowchart LR", *(f"    {name}[({name})]" for name in sorted(given))]
    lines += [f"    {name}[/{name}/]" for name in sorted(written & shown)]
    for stage in pipelines:
        lines += [f"    {name} --> {stage}([{stage}])" for name in inputs[stage]]
        lines += [f"    {stage}([{stage}]) --> {name}" for name in outputs[stage] if name in shown]
    return "\n".join([*lines, "```", ""])


def command_page() -> str:
    """Describe every command with its options, as `--help` does."""
    from rankhammer.cli import rankhammer, run
    from rankhammer.exit_codes import MEANINGS

    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in MEANINGS.items())
    completion = "".join(f"| {shell} | `{file}` | `{_cell(line)}` |\n" for shell, file, line in COMPLETION)
    head = (
        "# Commands\n\n"
        "Made from the commands themselves by `make docs-pages`; `rankhammer COMMAND --help` says the same.\n"
        "`kedro run` is `rankhammer run`; Kedro's own commands are described by `kedro --help`.\n\n"
        f"## Exit codes\n\n| exit code | meaning |\n|---|---|\n{codes}\n"
        "The errors behind 2 are in the [error index](errors.md).\n\n"
        "## Shell completion\n\nThe Tab key completes commands and options after one line in the shell's own file:\n\n"
        f"| shell | file | line |\n|---|---|---|\n{completion}\n"
        "With `_KEDRO_COMPLETE` and `kedro` in their places, the line does the same for `kedro`. The environment of\n"
        "Rankhammer has to be active when the file is read; `make setup` prints how.\n"
    )
    commands = sorted(rankhammer.commands.items())
    described = [part for name, command in commands for part in _with_its_own(name, run if name == "run" else command)]
    return head + "".join(_command(name, command) for name, command in described)


def _with_its_own(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    """Yield a command, and behind a group its commands."""
    yield name, command
    if isinstance(command, click.Group):
        yield from ((f"{name} {inner}", own) for inner, own in sorted(command.commands.items()))


def _command(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=f"rankhammer {name}")
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    text = f"\n## {name}\n\n{_paragraphs(command.help)}\n\n    {usage}\n"
    rows = [record for parameter in command.get_params(context) if (record := parameter.get_help_record(context))]
    if rows:
        text += "\n| option | what |\n|---|---|\n" + "".join(f"| `{_cell(a)}` | {_cell(b)} |\n" for a, b in rows)
    if command.epilog:
        text += f"\n{command.epilog.split(':')[0]}:\n\n    {command.epilog.split(':', 1)[1].strip()}\n"
    return text


def _paragraphs(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n")).replace("<", "&lt;")


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _data(names: Iterable[str]) -> list[str]:
    return sorted(name for name in names if not name.startswith("params:"))


def _short(module: str) -> str:
    return module.removeprefix(f"{PACKAGE}.")


def _reached(name: str, arrows: dict[str, set[str]]) -> set[str]:
    return set(_walk(name, arrows, set()))


def _walk(name: str, arrows: dict[str, set[str]], seen: set[str]) -> Iterator[str]:
    for other in arrows[name] - seen:
        if other not in seen:
            seen.add(other)
            yield other
            yield from _walk(other, arrows, seen)


def _summary(name: str) -> str:
    folder = ROOT / "src" / PACKAGE / name
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    for page, content in pages().items():
        page.write_text(content)
        print(page.relative_to(ROOT))
