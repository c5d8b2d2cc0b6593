"""Everything that nodes need and do not have, as Spark keys for YARN: Python, code, Spark, Java, jars, files."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.digests import hex_digest
from rankhammer.errors import ClusterError
from rankhammer.spark import worker_daemon
from rankhammer.yarn import archive, environment, node_classes, package
from rankhammer.yarn.extras import packages_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from rankhammer.yarn.settings import ClusterSettings, RuntimeSettings
    from rankhammer.yarn.uploads import UploadTarget

PYTHON, CODE, JAVA, CONF = "env", "app", "java", "conf"
"""Names of the unpacked archives in a container's folder."""
NODES, UPLOAD = "nodes:", "upload"
PACKAGES_KEY = "spark.rankhammer.packages"
"""Names the packages that a run needs of its nodes beside those of every run."""
LISTS = ("spark.yarn.dist.archives", "spark.yarn.dist.files", "spark.jars")
"""Keys that hold several values, separated by commas."""
_HERE = "{{PWD}}"
"""The container's folder; YARN replaces it on the node."""
_SCHEMES = ("hdfs:", "s3a:", "viewfs:", "abfs:", "gs:", "local:")
LOGGING = f"-Dlog4j2.configurationFile={CODE}/rankhammer/spark/log4j2-yarn.properties"
"""Java's option for what containers log; the file comes with the code."""
CONTAINERS_JAVA = ("spark.executor.extraJavaOptions", "spark.yarn.am.extraJavaOptions")
JOINED = ("spark.yarn.dist.archives", "spark.yarn.dist.files", *CONTAINERS_JAVA, *node_classes.CLASS_PATHS)
"""Keys of which settings of one's own and ours hold together."""
_TAR_SUFFIXES = (".tar.gz", ".tgz", ".zip", ".tar")


def yarn_settings(
    settings: ClusterSettings,
    uploads: UploadTarget,
    *,
    project: Path,
    on_progress: Callable[[str], None],
    packages: str = "",
) -> dict[str, str]:
    """Put on the cluster what is not there, and say where it is.

    For runs in client mode and in cluster mode alike. In client mode PYSPARK_PYTHON of the driver's own process has to
    be the value of `spark.executorEnv.PYSPARK_PYTHON`: Spark tells executors the driver's.

    Args:
        settings: Of cluster.yml.
        uploads: Where it is put.
        project: Folder of the project.
        on_progress: Called with a line for each step that takes time.
        packages: Pins of packages beside those of the project's lock, in the form of a lock.

    Returns:
        Flat Spark keys.

    Raises:
        ClusterError: Something cannot be built or found.
    """
    python, runtime = settings.python, settings.runtime
    wheel = package.build_wheel(project)
    # YARN unpacks what is called .zip.
    archives = [f"{uploads.put(wheel, f'rankhammer-{archive.content_hash(wheel)}.zip')}#{CODE}"]
    environ = {"PYTHONPATH": f"{_HERE}/{CODE}", "PYSPARK_PYTHON": python.on_nodes or f"./{PYTHON}/python"}
    if python.on_nodes is None:
        planned = environment.plan(
            project,
            interpreter=python.interpreter,
            standalone=python.of_nodes,
            without=python.without,
            packages=packages,
            extras=python.extras or (),
        )
        archives.append(f"{uploads.put_made(planned.name, lambda: environment.build(planned, on_progress))}#{PYTHON}")
    if runtime.java:
        more, environ["JAVA_HOME"] = _java(runtime.java, uploads)
        archives += more
    archives += [_archive(name, uploads) for name in runtime.archives]
    spark, classes = _spark(runtime, uploads, on_progress)
    files = [uri for name in [*runtime.files, *runtime.native] for uri in _files(name, uploads)]
    files += [f"{classes}#{node_classes.FILE}"] if classes else []
    if runtime.native:
        environ["LD_LIBRARY_PATH"] = _HERE
    jars = [uri for name in runtime.jars for _, uri in _uris(name, uploads)]
    found = dict(zip(LISTS, (",".join(archives), ",".join(files), ",".join(jars)), strict=True))
    return {
        **{key: value for key, value in found.items() if value},
        **spark,
        **_environment(environ),
        **({PACKAGES_KEY: ",".join(packages_of(python.extras))} if python.extras else {}),
        worker_daemon.KEY: worker_daemon.__name__,
        **dict.fromkeys(CONTAINERS_JAVA, f"{node_classes.OPTIONS} {LOGGING}" if classes else LOGGING),
    }


def merged(settings: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Put settings over others; lists of files become one list, and Java's options one text.

    Args:
        settings: Flat Spark keys, as in spark.yml; what they say of logging stays.
        more: What counts beside and above them.
    """
    joined = {key: ",".join(filter(None, (settings.get(key), more[key]))) for key in LISTS if key in more}
    options = {key: _options(settings.get(key, ""), more[key]) for key in CONTAINERS_JAVA if key in more}
    # Classes of the settings' own come first; with them before Spark's jars, Java takes no archive.
    paths = {
        key: ":".join(filter(None, (settings.get(key), more[key]))) for key in node_classes.CLASS_PATHS if key in more
    }
    return {**settings, **more, **joined, **options, **paths}


def _options(own: str, more: str) -> str:
    """Put Java's options before those of the settings, and leave out our logging where they bring their own."""
    if "log4j2" in own:
        more = more.replace(LOGGING, "").strip()
    return f"{more} {own}".strip()


def with_logging(java_options: str) -> str:
    """Add our logging to Java's options, unless they bring their own."""
    return java_options if "log4j2" in java_options else f"{java_options} {LOGGING}".strip()


def _environment(values: Mapping[str, str]) -> dict[str, str]:
    """Set variables of the application master, which holds the driver in cluster mode, and of executors."""
    prefixes = ("spark.yarn.appMasterEnv.", "spark.executorEnv.")
    return {f"{prefix}{name}": value for prefix in prefixes for name, value in values.items()}


def _spark(
    runtime: RuntimeSettings, uploads: UploadTarget, on_progress: Callable[[str], None]
) -> tuple[dict[str, str], str | None]:
    """Return (keys that say where Spark's jars are, URI of the archive of their classes where there is one)."""
    if runtime.spark.startswith(NODES):
        return {"spark.yarn.jars": f"local:{runtime.spark.removeprefix(NODES).rstrip('/')}/*"}, None
    import pyspark

    jars = sorted(Path(pyspark.__file__).parent.glob("jars/*.jar"))
    # Names and sizes stand for the contents: these are files of one release.
    listed = "\n".join(f"{jar.name} {jar.stat().st_size}" for jar in jars)
    name = f"spark-{pyspark.__version__}-{hex_digest(listed, 16)}.zip"
    keys = {"spark.yarn.archive": uploads.put_made(name, lambda: _pack(name, jars))}
    classes = node_classes.put(jars, listed, uploads, on_progress)
    if classes:
        keys |= dict.fromkeys(node_classes.CLASS_PATHS, node_classes.class_path(jars))
    return keys, classes


def _pack(name: str, jars: list[Path]) -> Path:
    target = environment.cache_folder() / "spark" / name
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        archive.write_zip(target, [(jar.name, jar) for jar in jars], is_packed=False)
    return target


def _java(where: str, uploads: UploadTarget) -> tuple[list[str], str]:
    """Return (archives, JAVA_HOME) for a JDK on the nodes or in a local archive."""
    if where.startswith(NODES):
        return [], where.removeprefix(NODES)
    file = Path(where)
    _require_local(file, "runtime.java")
    with tarfile.open(file) as opened:
        tops = {entry.name.removeprefix("./").partition("/")[0] for entry in opened} - {"", "."}
        homes = {entry.rpartition("/bin/java")[0] for entry in opened.getnames() if entry.endswith("/bin/java")}
    if not homes:
        raise ClusterError(
            f"{file} holds no bin/java (found {', '.join(sorted(tops)[:5])}).", hint="Give a JDK's own archive."
        )
    home = min(homes, key=len).removeprefix("./")
    return [f"{uploads.put(file)}#{JAVA}"], f"{_HERE}/{JAVA}/{home}".rstrip("/")


def _archive(name: str, uploads: UploadTarget) -> str:
    """Return an archive that is on the cluster, with the folder's name that it is unpacked under."""
    source, _, alias = name.partition("#")
    if not source.endswith(_TAR_SUFFIXES):
        hint = f"An archive ends in {', '.join(_TAR_SUFFIXES)}."
        raise ClusterError(f"runtime.archives: {source} is no archive that YARN unpacks.", hint=hint)
    (uri,) = [uri for _, uri in _uris(source, uploads)]
    return f"{uri}#{alias or Path(source).name.split('.')[0]}"


def _files(name: str, uploads: UploadTarget) -> list[str]:
    """Return files with the names that they have in a container: behind `#`, since libraries are looked up by name."""
    return [f"{uri}#{own}" if own else uri for own, uri in _uris(name, uploads)]


def _uris(name: str, uploads: UploadTarget) -> list[tuple[str, str]]:
    """Return (own name, URI) of a file or of a pattern's files; those of this machine are uploaded.

    A URI is taken as it is, without an own name.
    """
    if name.startswith(_SCHEMES):
        return [("", name)]
    base = Path(name).expanduser()
    found = sorted(base.parent.glob(base.name))
    if not found:
        raise ClusterError(f"{name} matches no file.", hint="Correct `runtime` in conf/<env>/cluster.yml.")
    return [(path.name, uploads.put(path)) for path in found]


def _require_local(file: Path, key: str) -> None:
    if not file.is_file():
        raise ClusterError(f"{key}: {file} is no file.", hint="Name an archive here, or `nodes:<folder>`.")
    if not os.access(file, os.R_OK):
        raise ClusterError(f"{key}: {file} cannot be read.", hint="Correct its rights.")
