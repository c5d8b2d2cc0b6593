"""Makes the class-data archive of Spark's JVM, by a run of its own that loads what the stages load."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.errors import ClusterError
from rankhammer.spark import class_archive, java

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.spark.java import Java

WORKLOAD = "rankhammer.spark.class_archive_workload"
_KEPT = 2
"""Archives of one folder: for the Java in use and the one before."""
_LIMIT_S = 900
_HINT = "Spark works without it, and starts more slowly."


def build(on_progress: Callable[[str], None], *, is_forced: bool = False) -> Path:
    """Make the archive for the Java and the Spark of this environment, unless it is there.

    Args:
        on_progress: Called with a line for each step that takes time.
        is_forced: Whether to make it again where it is there.

    Returns:
        The archive.

    Raises:
        ClusterError: There is no Java or no Spark, no folder to write to, or the JVM made none.
    """
    chosen = java.provide()
    home = class_archive.spark_home()
    if home is None or not (home / "jars").is_dir():
        raise ClusterError("Spark's jars were not found.", hint="Install pyspark, or correct SPARK_HOME.")
    jars = class_archive.jars_in_order(home)
    folder = _writable_folder()
    file = folder / class_archive.file_name(chosen.build, jars)
    if not is_forced and not class_archive.look(file):
        return file
    on_progress("Making an archive of Spark's classes, which halves the time of each start (a minute, once)")
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as place:
        unfinished, base = Path(place, file.name), class_archive.base_of(file)
        has_base = make_base(chosen, Path(place, base.name))
        if has_base:
            # The archive on top remembers its base by this path.
            Path(place, base.name).replace(base)
            class_archive.record(base, java=chosen.build, n_jars=0)
        train(chosen, unfinished, base if has_base else None, Path(place))
        unfinished.replace(file)
        class_archive.record(file, java=chosen.build, n_jars=len(jars))
    _forget_old(folder)
    return file


def make_base(chosen: Java, file: Path) -> bool:
    """Make an archive of Java's own classes where a Java comes without: others can only be added to one.

    Args:
        chosen: The Java.
        file: Where to write it.

    Returns:
        Whether it was made; not where Java has its own.
    """
    has_own = subprocess.run([chosen.command, "-Xshare:on", "-version"], capture_output=True, check=False)
    if has_own.returncode == 0:
        return False
    command = [chosen.command, "-Xshare:dump", f"-XX:SharedArchiveFile={file}", "-Xlog:disable"]
    _run(command, file)
    return True


def train(chosen: Java, file: Path, base: Path | None, place: Path, class_path: str = "") -> None:
    """Run the workload in a process of its own: its JVM writes the archive when it ends.

    Args:
        chosen: The Java.
        file: The archive to write.
        base: An archive that this one stands on; None for Java's own.
        place: Folder for what the workload writes, and to be in.
        class_path: Jars to put before Spark's own, relative to `place`; separated by colons.

    Raises:
        ClusterError: None was made.
    """
    options = [*([f"-XX:SharedArchiveFile={base}"] if base else []), f"-XX:ArchiveClassesAtExit={file}"]
    environ = {**os.environ, class_archive.SWITCH: "0", "SPARK_LOCAL_DIRS": str(place)}
    if chosen.home:
        environ["JAVA_HOME"] = chosen.home
    command = [sys.executable, "-m", WORKLOAD, str(place), class_path, *options]
    _run(command, file, place, environ)


def _run(command: list[str], file: Path, place: Path | None = None, environ: dict[str, str] | None = None) -> None:
    """Run what writes a file, and keep what it prints where it did not.

    Raises:
        ClusterError: The file is not there.
    """
    try:
        done = subprocess.run(
            command, cwd=place, env=environ, capture_output=True, text=True, timeout=_LIMIT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ClusterError(f"No class-data archive was made: {error}", hint=_HINT) from error
    if done.returncode == 0 and file.is_file():
        return
    log = Path(tempfile.gettempdir(), f"rankhammer-class-archive-{os.getpid()}.log")
    log.write_text(done.stdout + done.stderr)
    raise ClusterError(
        f"No class-data archive was made (exit code {done.returncode}); all that was printed is in {log}.", hint=_HINT
    )


def _writable_folder() -> Path:
    for folder in class_archive.folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    raise ClusterError("There is no folder for a class-data archive.", hint="Set XDG_CACHE_HOME to one.")


def _forget_old(folder: Path) -> None:
    """Remove archives beside the newest: an upgrade of Java or Spark leaves 200 MB behind."""
    tops = [file for file in folder.glob("spark-*.jsa") if not file.name.endswith(".base.jsa")]
    for old in sorted(tops, key=lambda file: file.stat().st_mtime, reverse=True)[_KEPT:]:
        for file in (old, class_archive.base_of(old)):
            file.unlink(missing_ok=True)
            class_archive.record_of(file).unlink(missing_ok=True)
