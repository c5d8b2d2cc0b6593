"""Puts what a new project folder holds, and the doctor, into the wheel; everything else stands in pyproject.toml.

`rankhammer new` copies these files. They have one place in the repository, outside of the package. The doctor is a
distribution of its own, too (docs/adr/0029).
"""

import tomllib
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent
PACKAGE = Path("rankhammer/project_template/files")
DOCTOR = ROOT / "packages" / "rankhammer-doctor" / "src"


class BuildWithTemplate(build_py):
    """Copies the files of [tool.rankhammer.project-template], and the doctor, into the package that is built."""

    def run(self) -> None:
        """Build as usual, and add the files; an editable install reads them where they are."""
        super().run()
        if self.editable_mode:
            return
        copies = [(source, PACKAGE / source.relative_to(ROOT)) for source in template_sources()]
        copies += [(source, source.relative_to(DOCTOR)) for source in doctor_sources()]
        for source, place in copies:
            target = Path(self.build_lib, place)
            target.parent.mkdir(parents=True, exist_ok=True)
            self.copy_file(str(source), str(target))


def template_sources() -> list[Path]:
    """Return the files that pyproject.toml lists."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["rankhammer"]["project-template"]
    return [path for pattern in table["files"] for path in sorted(ROOT.glob(pattern)) if path.is_file()]


def doctor_sources() -> list[Path]:
    """Return the files of the package rankhammer_doctor."""
    found = sorted((DOCTOR / "rankhammer_doctor").rglob("*"))
    return [path for path in found if path.is_file() and path.suffix in (".py", ".yml", ".txt", ".typed")]


setup(cmdclass={"build_py": BuildWithTemplate})
