"""Builds the site of docs/ and the API into site/, strictly: a broken link ends it with exit code 1.

    python dev/docs_site.py

What builds it has an environment of its own, .venvs/docs, made from requirements-docs.lock.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))
# The checkout's own module, which needs only the standard library.
from rankhammer.spark.installer import uv_environment  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK, ENVIRONMENT, STAGED = "requirements-docs.lock", ROOT / ".venvs" / "docs", ROOT / ".site" / "docs"
ROOT_PAGES = {"README.md": "why.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages outside of docs/, and their names in the site: a README beside an index would be taken for it."""
PACKAGE = "rankhammer"
_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")


def main() -> int:
    """Make the environment, stage the pages, build.

    Returns:
        Exit code of the build.
    """
    install()
    stage()
    environ = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    build = [ENVIRONMENT / "bin" / "mkdocs", "build", "--strict"]  # --quiet would hide warnings from --strict, too
    return subprocess.run(build, cwd=ROOT, env=environ, check=False).returncode


def install() -> None:
    """Make the environment hold what the lock says."""
    python, uv = ENVIRONMENT / "bin" / "python", [sys.executable, "-m", "uv"]
    environ = uv_environment([sys.executable, "-m", "pip"])
    if not python.exists():
        subprocess.run([*uv, "venv", "--quiet", "--python", sys.executable, ENVIRONMENT], env=environ, check=True)
    sync = [*uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", LOCK]
    subprocess.run(sync, cwd=ROOT, env=environ, check=True)


def stage() -> None:
    """Copy the pages to one folder, with links as they are there, and add a page for each part of the API."""
    shutil.rmtree(STAGED.parent, ignore_errors=True)
    for source in [*(ROOT / "docs").rglob("*"), *(ROOT / name for name in ROOT_PAGES)]:
        if source.is_file():
            target = STAGED / staged_name(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            content = source.read_bytes()
            target.write_bytes(content if source.suffix != ".md" else moved_links(content.decode(), source).encode())
    for name, text in api_pages().items():
        (STAGED / "api").mkdir(exist_ok=True)
        (STAGED / "api" / name).write_text(text)


def staged_name(page: Path) -> str:
    """Return a page's path below the staged folder; empty for a file that is no page of the site."""
    name = page.relative_to(ROOT).as_posix()
    return name.removeprefix("docs/") if name.startswith("docs/") else ROOT_PAGES.get(name, "")


def moved_links(text: str, page: Path) -> str:
    """Let links lead to where pages are staged; what is no page (code, a notebook) is named without a link.

    Args:
        text: Content of a page.
        page: Where it stands in the repository.
    """
    steps = "../" * staged_name(page).count("/")

    def moved(link: re.Match[str]) -> str:
        target = (page.parent / link[2]).resolve()
        if not target.exists():
            # The build says which, and fails.
            return link[0]
        name = staged_name(target) if target.is_relative_to(ROOT) and target.is_file() else ""
        return f"[{link[1]}]({steps}{name}{link[3] or ''})" if name else link[1]

    return _LINK.sub(moved, text)


def api_pages() -> dict[str, str]:
    """Return a page for each package, and a list of them."""
    packages = sorted(path.parent for path in (ROOT / "src" / PACKAGE).glob("*/__init__.py"))
    modules = sorted(path for path in (ROOT / "src" / PACKAGE).glob("*.py") if not path.name.startswith("_"))
    pages = {f"{package.name}.md": "".join(_entries(package)) for package in packages}
    pages |= {f"{module.stem}.md": f"# {module.stem}\n\n::: {PACKAGE}.{module.stem}\n" for module in modules}
    lines = [f"- [{name.removesuffix('.md')}]({name}): {_summary(name.removesuffix('.md'))}" for name in sorted(pages)]
    return {**pages, "index.md": "\n".join(["# API", "", *lines, ""])}


def _entries(package: Path) -> Iterator[str]:
    yield f"# {package.name}\n"
    for module in sorted(package.rglob("*.py")):
        parts = module.relative_to(ROOT / "src").with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield f"\n::: {name}\n    options: {{show_submodules: false}}\n"


def _summary(name: str) -> str:
    folder = ROOT / "src" / PACKAGE / name
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n\n")[0].replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
