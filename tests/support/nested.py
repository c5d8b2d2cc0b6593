"""A run of pytest in a process of its own, to see what the run itself does."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SUPPORT = os.path.dirname(__file__)
PLACES = os.pathsep.join([SUPPORT, os.path.join(SUPPORT, "..", "..", "dev")])


def run_pytest(
    folder: Path, code: str, *arguments: str, plugins: tuple[str, ...] = (), **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run tests that stand in a file of their own.

    Args:
        folder: Where the file, test_inner.py, is put.
        code: Its content.
        arguments: Of pytest.
        plugins: Which of tests/support/pytest_plugins listen.
        environ: More variables.
    """
    (folder / "test_inner.py").write_text(code)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers =\n    chaos: breaks something\n")
    chosen = [f"-ppytest_plugins.{name}" for name in plugins]
    command = [sys.executable, "-m", "pytest", *chosen, "-p", "no:cacheprovider", "-rs", "--strict-markers", *arguments]
    variables = {**os.environ, "PYTHONPATH": PLACES, **environ}
    return subprocess.run(command, cwd=folder, env=variables, capture_output=True, text=True, timeout=120, check=False)
