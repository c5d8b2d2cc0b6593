"""A whole development cluster on this machine: HDFS, YARN and S3, with the demo where conf/prod looks for its input.

    python dev/cluster.py start FOLDER [--demo data/01_raw/demo]
    . FOLDER/env.sh                        # HADOOP_CONF_DIR and the keys of S3, for the commands of this shell
    python dev/cluster.py status FOLDER
    python dev/cluster.py stop FOLDER

`make cluster-up` and `make cluster-down` do this in .cluster. See dev/hadoop_cluster.py and dev/s3_server.py for what
each part needs; both take single daemons down and up again.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
import hadoop_cluster
import maven_jars
import s3_server
from engine_node import NodeError, running
from hadoop_conf import HOST

BUCKET = "search-rankers"
ROOT, JARS, HISTORY = "/apps/rankhammer", "/apps/rankhammer/jars", "/spark-history"
INPUTS = {"click_log": "/logs/search/impressions", "documents": "/search/documents"}


def missing() -> str:
    """Return why a cluster cannot be started here; empty when it can."""
    return hadoop_cluster.missing() or s3_server.missing()


def start(folder: Path, demo: Path | None = None, extra: dict[str, str] | None = None) -> dict[str, str]:
    """Start what does not run yet, and put on HDFS what is not there yet.

    Args:
        folder: Home of all servers.
        demo: Folder that `rankhammer demo` made; None leaves HDFS without input.
        extra: More settings of all daemons, as `hadoop_cluster.start` takes them.

    Returns:
        The environment variables of a client.
    """
    s3 = folder / "s3"
    s3.mkdir(parents=True, exist_ok=True)
    s3_server.start(s3, BUCKET)
    hadoop = folder / "hadoop"
    conf = hadoop_cluster.start(hadoop, s3_server.hadoop_settings(s3) | (extra or {}))
    for path in (ROOT, JARS, HISTORY):
        hadoop_cluster.make_folder(hadoop, path)
    _put_jars(hadoop)
    for name, target in INPUTS.items() if demo else ():
        hadoop_cluster.put(hadoop, demo / name, target)
    variables = {"HADOOP_CONF_DIR": str(conf), "SPARK_LOCAL_IP": HOST, **s3_server.keys(s3)}
    _write_variables(folder / "env.sh", variables)
    return variables


def stop(folder: Path) -> None:
    """End every server; what they store stays."""
    hadoop_cluster.stop(folder / "hadoop")
    s3_server.stop(folder / "s3")


def status(folder: Path) -> dict[str, int]:
    """Return each server's process id, 0 for one that is down."""
    return {**hadoop_cluster.status(folder / "hadoop"), "s3": running(folder / "s3")}


def _put_jars(hadoop: Path) -> None:
    """Put the connector to S3 where conf/prod/spark.yml looks for it."""
    there = hadoop_cluster.web_hdfs(hadoop, "GET", JARS, op="LISTSTATUS")["FileStatuses"]["FileStatus"]
    known = {file["pathSuffix"] for file in there}
    for jar in sorted(maven_jars.fetch(s3_server.POM).glob("*.jar")):
        if jar.name not in known:
            hadoop_cluster.put(hadoop, jar, f"{JARS}/{jar.name}")


def _write_variables(file: Path, variables: dict[str, str]) -> None:
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.writelines(lines)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["start", "stop", "status"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--demo", type=Path, help="folder that `rankhammer demo` made, to be put on HDFS")
    given = parser.parse_args()
    folder = given.folder.resolve()
    try:
        if given.verb == "start":
            start(folder, given.demo)
            print(f"The cluster runs. In each shell that uses it:  . {os.path.relpath(folder)}/env.sh")
        elif given.verb == "status":
            print(*(f"{name}\t{pid or 'down'}" for name, pid in status(folder).items()), sep="\n")
        else:
            stop(folder)
    except NodeError as error:
        sys.exit(f"cluster: {error}")


if __name__ == "__main__":
    main()
