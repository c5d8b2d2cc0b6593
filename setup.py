"""Puts what a new project folder holds into the wheel; everything else stands in pyproject.toml.

`rankhammer new` copies these files. They have one place in the repository, outside of the package.
"""

import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PACKAGE = "rankhammer/project_template/files"


class BuildWithTemplate(build_py):
    """Copies the files of [tool.rankhammer.project-template] into the package that is built."""

    def run(self) -> None:
        """Build as usual, and add the files; an editable install reads them where they are."""
        super().run()
        if self.editable_mode:
            return
        for source in template_sources():
            target = Path(self.build_lib, PACKAGE, source.relative_to(ROOT))
            target.parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(str(source), str(target))


def template_sources() -> list[Path]:
    """Return the files that pyproject.toml lists."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["rankhammer"]["project-template"]
    return [path for pattern in table["files"] for path in sorted(ROOT.glob(pattern)) if path.is_file()]


setup(cmdclass={"build_py": BuildWithTemplate})
