"""Click models of others, from PyPI, in an environment of their own: JAX alone would weigh more than Rankhammer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

PEERS = Path(__file__).parent / "peers"
ENVIRONMENT = Path(__file__).parents[1] / ".venv-peers"
README_RATE, FAST_RATE = 0.003, 0.01
"""CLAX's learning rate in its README, and the one of its experiments on Yandex' log: faster, hardly worse."""
CLAX_MODELS = ("dbn", "sdbn", "ubm", "pbm", "ccm", "dcm", "cascade", "dctr", "rctr", "gctr")


def prepare(environment: Path) -> Path:
    """Make the environment unless it has what `peers/requirements.txt` names; return its Python."""
    wanted = (PEERS / "requirements.txt").read_text()
    stamp = environment / "requirements.txt"
    python = environment / "bin/python"
    if not stamp.exists() or stamp.read_text() != wanted:
        print(f"Making {environment}: several gigabytes, some minutes", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)], check=True)
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "-r", str(PEERS / "requirements.txt")],
            check=True,
            stdout=sys.stderr,
        )
        stamp.write_text(wanted)
    return python


def fit_clax(
    python: Path, log: Path, models: list[str], errors: Path, learning_rate: float
) -> Iterator[dict[str, Any]]:
    """Yield the figures of each model of CLAX, fitted in one process; `errors` takes what it says beside them."""
    command = [python, PEERS / "clax_fit.py", "--log", log, "--models", ",".join(models)]
    command += ["--learning-rate", str(learning_rate)]
    with errors.open("w") as sink, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=sink, text=True) as run:
        assert run.stdout is not None  # noqa: S101 - asked for above
        for line in run.stdout:
            yield {"learning_rate": learning_rate, **json.loads(line)}
    if run.returncode:
        raise SystemExit(f"clax_fit.py ended with {run.returncode}:\n{errors.read_text()[-2000:]}")
