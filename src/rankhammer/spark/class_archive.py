"""A class-data archive (AppCDS) of the JVM that Spark runs in: thousands of classes are mapped instead of loaded.

The JVM takes an archive only where its own build and every jar of the class path are those that the archive was made
with, and says nothing where it does not. So an archive is named by a key of both, is kept beside the Python
environment, and whatever keeps it from being used is said here.

Only the standard library is used, because the set-up asks before anything is imported.

References:
    Java Platform, Standard Edition 17, Java Virtual Machine Guide: Class Data Sharing; JEP 350, Dynamic CDS Archives.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import sys
import zlib
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rankhammer.spark.java import Java

SWITCH = "RANKHAMMER_CLASS_ARCHIVE"
"""Variable that names a folder for archives; 0 starts every JVM without one."""
MISSING = "there is none for this Java and these jars"
HINT = "`rankhammer build-class-archive` makes one."
_OWN_OPTIONS = ("-XX:SharedArchiveFile", "-XX:ArchiveClassesAtExit", "-Xshare:", "-XX:AOT")
_FIRST_AOT = 25
"""Version of Java whose messages about archives have a tag that older ones refuse."""
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Recorded:
    """What is written beside an archive.

    Args:
        java: What `java -version` says.
        n_jars: Jars of the class path.
        n_bytes: Size of the archive.
        crc32: Of its content.
    """

    java: str
    n_jars: int
    n_bytes: int
    crc32: int


@dataclass(frozen=True)
class Archive:
    """An archive that can be used, or the reason why there is none.

    Args:
        file: Its path; None when there is none.
        reason: Why there is none; empty when there is one.
    """

    file: Path | None
    reason: str = ""


def spark_home(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the folder whose Spark pyspark starts, or None when there is none."""
    if environ.get("SPARK_HOME"):
        return Path(environ["SPARK_HOME"])
    spec = find_spec("pyspark")
    return Path(spec.origin).parent if spec and spec.origin else None


def jars_in_order(home: Path) -> list[Path]:
    """List Spark's jars as Java expands `jars/*`: in the order of the folder, which is no alphabetical one.

    Args:
        home: Folder of Spark.
    """
    with os.scandir(home / "jars") as entries:
        return [Path(entry.path) for entry in entries if entry.name.endswith((".jar", ".JAR"))]


def key_of(java: str, class_path: Iterable[Path]) -> str:
    """Return the key of an archive.

    Args:
        java: What `java -version` says: vendor, version and build.
        class_path: Jars in order; their paths, sizes and times decide whether the JVM takes the archive.

    Returns:
        16 hexadecimal digits.
    """
    digest = hashlib.sha256(java.encode())
    for jar in class_path:
        facts = jar.stat()
        digest.update(f"\0{jar}\0{facts.st_size}\0{int(facts.st_mtime)}".encode())
    return digest.hexdigest()[:16]


def folders() -> list[Path]:
    """Return where archives are kept: beside the environment, or in the user's cache where that is read-only."""
    if os.environ.get(SWITCH, "0") != "0":
        return [Path(os.environ[SWITCH])]
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return [Path(sys.prefix, "share", "rankhammer"), Path(cache, "rankhammer", "class_archives")]


def find(java: str, environ: Mapping[str, str] = os.environ) -> Archive:
    """Find the archive for the JVM that pyspark starts.

    Args:
        java: What `java -version` says of the Java that will run.
        environ: Environment variables; those that decide about the class path are read.

    Returns:
        The archive, or the reason why the JVM starts without.
    """
    home = spark_home(environ)
    reason = _why_not(home, environ)
    if reason or home is None:
        return Archive(None, reason)
    name = file_name(java, jars_in_order(home))
    if any(os.pathsep in str(folder) for folder in folders()):
        return Archive(None, f"Java takes no archive from a folder with {os.pathsep!r} in its name")
    found = [(folder / name, look(folder / name) or _look_at_base(folder / name)) for folder in folders()]
    usable = next((file for file, reason in found if not reason), None)
    if usable:
        return Archive(usable)
    return Archive(None, next((reason for _, reason in found if reason != MISSING), MISSING))


def _look_at_base(file: Path) -> str:
    return look(base_of(file)) if base_of(file).exists() else ""


def _why_not(home: Path | None, environ: Mapping[str, str]) -> str:
    """Say what puts something before Spark's jars on the class path, or nothing."""
    if environ.get(SWITCH) == "0":
        return f"{SWITCH} is 0"
    if home is None or not (home / "jars").is_dir():
        return "Spark's jars were not found"
    conf = Path(environ.get("SPARK_CONF_DIR") or home / "conf")
    if conf.is_dir():
        return f"the folder {conf} comes before Spark's jars"
    return "SPARK_PREPEND_CLASSES is set" if environ.get("SPARK_PREPEND_CLASSES") else ""


def why_unused(options: str, class_path: str = "") -> str:
    """Say what in a session's settings keeps the JVM from taking an archive, or nothing.

    Args:
        options: Java options of the settings.
        class_path: Value of spark.driver.extraClassPath.
    """
    if class_path:
        return "spark.driver.extraClassPath comes before Spark's jars"
    own = [option for option in options.split() if option.startswith(_OWN_OPTIONS)]
    return f"the Java options bring {own[0]}" if own else ""


def options(file: Path, version: int) -> str:
    """Return the JVM's options that name an archive; a JVM that cannot use it continues without, and prints nothing.

    Args:
        file: The archive.
        version: Major version of the Java.
    """
    base = base_of(file)
    files = f"{base}:{file}" if base.is_file() else str(file)
    return f"{shlex.quote(f'-XX:SharedArchiveFile={files}')} -Xshare:auto {quiet(version)}"


def options_for(java: Java) -> str:
    """Return the JVM's options for what this environment has; empty where there is no archive for a Java.

    Args:
        java: The Java that pyspark will start, with Spark's jars as they are and nothing before them.
    """
    found = find(java.build)
    return options(found.file, java.version) if found.file else ""


def quiet(version: int) -> str:
    """Return the JVM's options that keep what it says of archives off the screen."""
    return "-Xlog:cds*=off -Xlog:aot*=off" if version >= _FIRST_AOT else "-Xlog:cds*=off"


def base_of(file: Path) -> Path:
    """Return where an archive's base stands, for a Java that comes without one."""
    return file.with_suffix(".base.jsa")


def file_name(java: str, class_path: Iterable[Path]) -> str:
    """Return the name of the archive for a Java and a class path; see `key_of`."""
    return f"spark-{key_of(java, class_path)}.jsa"


def look(file: Path) -> str:
    """Say why an archive cannot be used; empty when it can.

    The JVM itself would crash on a damaged archive, so its content is compared with what was recorded: 0.06 s for
    200 MB that the JVM reads next.

    Args:
        file: The archive.
    """
    try:
        facts = file.stat()
        recorded = Recorded(**json.loads(record_of(file).read_text()))
        if facts.st_size != recorded.n_bytes:
            return f"{file} is damaged: {facts.st_size} bytes instead of {recorded.n_bytes}"
        if crc32(file) != recorded.crc32:
            return f"{file} is damaged: its content has changed"
    except FileNotFoundError:
        return MISSING
    except (OSError, ValueError, TypeError) as error:
        return f"{file} cannot be read: {error}"
    return ""


def record(file: Path, *, java: str, n_jars: int) -> None:
    """Write down what an archive was made for and what is in it; from then on it counts as there.

    Args:
        file: The archive.
        java: What `java -version` says.
        n_jars: Jars of the class path.
    """
    facts = file.stat()
    recorded = Recorded(java, n_jars, facts.st_size, crc32(file))
    unfinished = file.with_suffix(f".{os.getpid()}.tmp")
    unfinished.write_text(json.dumps(asdict(recorded), indent=1))
    unfinished.replace(record_of(file))


def record_of(file: Path) -> Path:
    """Return where the record of an archive stands."""
    return file.with_suffix(".json")


def crc32(file: Path) -> int:
    """Return the CRC-32 of a file."""
    found = 0
    with file.open("rb") as stream:
        while block := stream.read(_BLOCK):
            found = zlib.crc32(block, found)
    return found


def is_mapped(file: Path, pid: int) -> bool:
    """Say whether a JVM uses an archive; True where the system does not tell (only Linux does).

    Args:
        file: The archive.
        pid: Process of the JVM.
    """
    try:
        return os.path.realpath(file) in Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return True
