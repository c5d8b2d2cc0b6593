"""What the machine that submits, and the nodes, have installed (S22 to S24, S26)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer_doctor.findings import ConfChange, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhammer_doctor.static_rules.context import ConfContext

_JAVA_KEYS = ("spark.executorEnv.JAVA_HOME", "spark.yarn.appMasterEnv.JAVA_HOME")


def python_versions(context: ConfContext) -> Iterator[Finding]:
    """S22: driver and executors run the same minor version of Python."""
    own, theirs = context.job.python, context.shape.python
    is_shipped = any(context.conf.get(key) for key in ("spark.archives", "spark.yarn.dist.archives"))
    if own and theirs and own.split(".")[:2] != theirs.split(".")[:2] and not is_shipped:
        yield Finding(
            rule="S22",
            severity=Severity.ERROR,
            summary=f"the driver runs Python {own}, the nodes {theirs}: PySpark refuses other minor versions",
            place="spark.pyspark.python",
            remedies=("ship an environment (spark.archives, spark.pyspark.python=./env/bin/python)",),
            effect="Python functions run on the executors",
        )
    shipped = context.conf.get("spark.archives", "") + context.conf.get("spark.yarn.dist.archives", "")
    if shipped and "venv" in shipped.lower() and "spark.pyspark.python" not in context.conf:
        yield Finding(
            rule="S22",
            severity=Severity.WARNING,
            summary="an environment is shipped, and no key says that its Python is to be used",
            place="spark.pyspark.python",
            evidence=(f"archives: {shipped[:200]}",),
            remedies=(
                "spark.pyspark.python=./<name behind #>/bin/python; a plain venv needs its base Python on the nodes",
            ),
            effect="executors run what was shipped",
        )


def hadoop_conf(context: ConfContext) -> Iterator[Finding]:
    """S23: the machine that submits to YARN knows the cluster."""
    environ = context.environ
    if environ is None or not context.conf.get("spark.master", "").startswith("yarn"):
        return
    folders = [environ.get(name, "") for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR")]
    if not any(folders):
        evidence = 'Spark says: either HADOOP_CONF_DIR or YARN_CONF_DIR must be set (master "yarn")'
    elif not any(folder and (Path(folder) / "yarn-site.xml").is_file() for folder in folders):
        evidence = f"{', '.join(filter(None, folders))}: no yarn-site.xml"
    else:
        return
    yield Finding(
        rule="S23",
        severity=Severity.ERROR,
        summary="this machine does not know the cluster",
        place="HADOOP_CONF_DIR",
        evidence=(evidence,),
        remedies=("export HADOOP_CONF_DIR=<folder with core-site.xml and yarn-site.xml>",),
        effect="the ResourceManager is found",
    )


def java_of_nodes(context: ConfContext) -> Iterator[Finding]:
    """S24: the nodes' Java is new enough for Spark 4."""
    java, needed = context.shape.java, context.thresholds["S24"]["min_java"]
    if java is None or java >= needed or all(context.conf.get(key) for key in _JAVA_KEYS):
        return
    yield Finding(
        rule="S24",
        severity=Severity.ERROR,
        summary=f"the nodes have Java {java}, and Spark 4 needs {needed:g}",
        place=_JAVA_KEYS[0],
        remedies=("ship a JDK: --archives jdk-17.tar.gz#jdk, and point both keys at it",),
        changes=tuple(ConfChange(key, "./jdk", context.conf.get(key)) for key in _JAVA_KEYS),
        effect="executors start",
    )


def other_installation(context: ConfContext) -> Iterator[Finding]:
    """S26: the classpath of another Spark does not leak in."""
    environ = context.environ
    if environ is None:
        return
    found = [name for name in ("SPARK_DIST_CLASSPATH", "SPARK_CLASSPATH", "SPARK_CONF_DIR") if environ.get(name)]
    home = environ.get("SPARK_HOME", "")
    is_other = bool(home) and "site-packages" not in home
    if not found and not is_other:
        return
    found += ["SPARK_HOME"] if is_other else []
    is_only_conf = found == ["SPARK_CONF_DIR"]
    yield Finding(
        rule="S26",
        severity=Severity.INFO if is_only_conf else Severity.WARNING,
        summary="an installation of Spark on this machine leaks in" if not is_only_conf else "SPARK_CONF_DIR is set",
        place=", ".join(found),
        evidence=tuple(f"{name}={environ[name][:120]}" for name in found),
        remedies=(
            "unset them, or set SPARK_CONF_DIR to a folder of one's own",
            "it comes first on the class path, and so disables an archive of class data: starts take longer",
        ),
        effect="the classes are those of the installed pyspark",
    )
