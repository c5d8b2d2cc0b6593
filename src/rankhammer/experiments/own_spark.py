"""A Spark of an instance's own, on the cores of its container: for functions that run a pipeline of this project."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from rankhammer.errors import ClusterError

_CONTAINER, _CLASS_PATH, _HADOOP_CONF = "CONTAINER_ID", "CLASSPATH", "HADOOP_CONF_DIR"
_SENT_CONF = Path("__spark_conf__/__hadoop_conf__")
"""Where Spark puts the Hadoop configuration of whoever submitted."""
_CORE = "spark-core_*.jar"
# What Spark's own command does: its launcher says how Java is called, between zero bytes.
_SUBMIT = """#!{python}
import os, subprocess, sys

java = os.path.join(os.environ["JAVA_HOME"], "bin", "java") if os.environ.get("JAVA_HOME") else "java"
launcher = [java, "-cp", {jars!r} + "/*", "org.apache.spark.launcher.Main", "org.apache.spark.deploy.SparkSubmit"]
said = subprocess.run([*launcher, *sys.argv[1:]], stdout=subprocess.PIPE, check=True).stdout
command = [part.decode() for part in said.partition(b"\\0\\n")[2].split(b"\\0") if part]
os.execvp(command[0], command)
"""


def provide_spark() -> None:
    """Let processes that this one starts open a Spark session of their own, with `spark.master: local[n]`.

    On this machine there is nothing to do. A container has Spark's jars, and none of its commands: then SPARK_HOME is a
    folder that leads to these jars, PYSPARK_PYTHON the Python that runs this, and HADOOP_CONF_DIR what was sent along.

    Raises:
        ClusterError: This container has no jars of Spark.
    """
    if _CONTAINER not in os.environ:
        return
    home = Path(tempfile.mkdtemp(prefix="spark-home-"))
    jars = _jars(os.environ.get(_CLASS_PATH, ""))
    (home / "jars").symlink_to(jars)
    (home / "bin").mkdir()
    command = home / "bin" / "spark-submit"
    command.write_text(_SUBMIT.format(python=sys.executable, jars=str(jars)))
    command.chmod(0o755)
    # Where it is not told, Spark's launcher looks for it in folders of a build.
    scala = next(jars.glob(_CORE)).name.split("-")[1].removeprefix("core_")
    own = {"SPARK_HOME": str(home), "SPARK_SCALA_VERSION": scala}
    if _SENT_CONF.is_dir():
        # Without it `hdfs:///` would be nowhere.
        own[_HADOOP_CONF] = str(_SENT_CONF.resolve())
    os.environ.update(own, PYSPARK_PYTHON=sys.executable, PYSPARK_DRIVER_PYTHON=sys.executable)


def _jars(class_path: str) -> Path:
    folders = [Path(entry.removesuffix("/*")) for entry in class_path.split(":") if entry.endswith("/*")]
    found = next((folder for folder in folders if any(folder.glob(_CORE))), None)
    if found is None:
        hint = "Start it as an instance of an experiment: docs/experiments.md."
        raise ClusterError("The container's CLASSPATH names no folder with Spark's jars.", hint=hint)
    return found.resolve()
