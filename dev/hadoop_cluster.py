"""A real HDFS and YARN on this machine, for development and tests. Standard library only.

    python dev/hadoop_cluster.py start FOLDER       # NameNode, two DataNodes, ResourceManager, two NodeManagers
    python dev/hadoop_cluster.py status FOLDER
    python dev/hadoop_cluster.py kill FOLDER dn2    # SIGKILL: nn, dn1, dn2, rm, nm1, nm2
    python dev/hadoop_cluster.py lose FOLDER nm1    # a NodeManager and its containers, too
    python dev/hadoop_cluster.py up FOLDER dn2
    python dev/hadoop_cluster.py run FOLDER fs -ls /    # Hadoop's own clients: fs, dfsadmin, application, logs
    python dev/hadoop_cluster.py stop FOLDER

Maven fetches the daemons' jars once (about 100 MB); they are kept in ~/.cache/rankhammer. Everything listens on
127.0.0.1 alone, on ports that were free at the first start. HADOOP_CONF_DIR is FOLDER/conf. Needs mvn for the first
start, and a JDK 17 (the one of JAVA_HOME, or on the PATH).
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))
import hadoop_conf
import maven_jars
import watchdog
from engine_node import NodeError, adopt, running
from engine_node import stop as end
from hadoop_conf import HOST

POM = Path(__file__).parent / "hadoop" / "pom.xml"
NODE_FS = POM.with_name("NodeFs.java")
N_NODES, WAIT_S = 2, 120
QUEUES = {"default": 50, "ranking": 50}
TOOLS = {
    "fs": "fs.FsShell",
    "dfsadmin": "hdfs.tools.DFSAdmin",
    "application": "yarn.client.cli.ApplicationCLI",
    "logs": "yarn.client.cli.LogsCLI",
}
OPENED = ("java.lang", "java.net", "java.util", "java.nio", "java.util.concurrent", "sun.nio.ch")
JVM = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.net.preferIPv4Stack=true"]
JVM += [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED]
MAIN = {
    "nn": "hdfs.server.namenode.NameNode",
    "dn": "hdfs.server.datanode.DataNode",
    "rm": "yarn.server.resourcemanager.ResourceManager",
    "nm": "yarn.server.nodemanager.NodeManager",
}
HEAP = {"nn": "256m", "dn": "192m", "rm": "384m", "nm": "256m"}


def missing() -> str:
    """Return why a cluster cannot be started here; empty when it can."""
    has_jdk = _java() and _javac().exists()
    return maven_jars.missing(POM) or ("" if has_jdk else "no JDK (java and javac) on the PATH or in JAVA_HOME")


def daemons() -> list[str]:
    """Return the names of all daemons, those that others register with first."""
    return ["nn", "rm", *(f"{kind}{i + 1}" for kind in ("dn", "nm") for i in range(N_NODES))]


def start(folder: Path, extra: dict[str, str] | None = None) -> Path:
    """Start a cluster that lives in a folder, and wait until HDFS and YARN answer. What runs already is left alone.

    Args:
        folder: Its home; what is on its HDFS outlives a stop.
        extra: More settings of core-site.xml and, where they begin with yarn., of yarn-site.xml.

    Returns:
        HADOOP_CONF_DIR of its clients.
    """
    maven_jars.fetch(POM)
    # The pages of HDFS's own web server are in no jar, but it does not start without their folders.
    for page in ("hdfs", "datanode"):
        (folder / "web" / "webapps" / page).mkdir(parents=True, exist_ok=True)
    ports = _ports(folder)
    hadoop_conf.write(folder, ports, n_nodes=N_NODES, queues=QUEUES, extra=extra or {})
    _compile(folder)
    for name in daemons():
        up(folder, name)
    _wait(folder, "HDFS", lambda: _hdfs_is_ready(ports))
    _wait(folder, "YARN", lambda: _yarn_is_ready(ports))
    make_folder(folder, "/tmp", "1777")
    make_folder(folder, "/user")
    make_folder(folder, f"/user/{getpass.getuser()}", "700")
    return folder / "conf"


def stop(folder: Path) -> None:
    """End every daemon, and the containers that outlived their NodeManager."""
    for name in sorted(daemons(), key=lambda name: ("nm", "rm", "dn", "nn").index(name[:2])):
        end(folder / name)
    _end_containers(folder, "nm*")


def up(folder: Path, name: str) -> None:
    """Start one daemon, unless it runs."""
    home, kind = folder / name, name[:2]
    if running(home):
        return
    home.mkdir(parents=True, exist_ok=True)
    if kind == "nn" and not (home / "data" / "current").is_dir():
        done = _java_run(folder, "256m", f"org.apache.hadoop.{MAIN['nn']}", "-format", "-nonInteractive", "-force")
        if done.returncode:
            raise NodeError(f"HDFS could not be formatted: {done.stderr[-1000:]}")
    first = f"{folder}/node:" if kind == "nm" else ""
    command = [*_java_command(folder, HEAP[kind], level="INFO", log=home, first=first), f"-Drankhammer.daemon={home}"]
    command += [f"org.apache.hadoop.{MAIN[kind]}", *_places(folder, name)]
    with (home / "console.log").open("ab") as out:
        process = subprocess.Popen(
            command, cwd=home, env=_environ(folder), stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True,
        )  # fmt: skip
    adopt(home, process)


def kill(folder: Path, name: str) -> None:
    """End one daemon as a crash does; the containers of a NodeManager go on."""
    end(folder / name, signal.SIGKILL)


def lose(folder: Path, name: str) -> None:
    """End a NodeManager and all its containers, as when a machine is gone."""
    kill(folder, name)
    _end_containers(folder, name)


def status(folder: Path) -> dict[str, int]:
    """Return each daemon's process id, 0 for one that is down."""
    return {name: running(folder / name) for name in daemons()}


def tool(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of Hadoop's own clients."""
    first = ["application"] if name == "application" else []
    return _java_run(folder, "256m", f"org.apache.hadoop.{TOOLS[name]}", *first, *arguments)


def make_folder(folder: Path, path: str, permission: str = "755") -> None:
    """Make a folder on the cluster's HDFS."""
    for operation in ("MKDIRS", "SETPERMISSION"):
        web_hdfs(folder, "PUT", path, op=operation, permission=permission)


def put(folder: Path, source: Path, target: str) -> None:
    """Copy a file, or a folder with all below it, to the cluster's HDFS; what is there is replaced."""
    files = [source] if source.is_file() else sorted(path for path in source.rglob("*") if path.is_file())
    for file in files:
        below = "" if source.is_file() else f"/{file.relative_to(source).as_posix()}"
        where = web_hdfs(folder, "PUT", target + below, op="CREATE", overwrite="true", noredirect="true")["Location"]
        request = urllib.request.Request(where, data=file.read_bytes(), method="PUT")
        urllib.request.urlopen(request, timeout=60).close()


def web_hdfs(folder: Path, method: str, path: str, **query: str) -> dict[str, Any]:
    """Ask the NameNode over HTTP: no JVM has to start for it."""
    asked = urllib.parse.urlencode({"user.name": getpass.getuser(), **query})
    url = f"http://{HOST}:{_ports(folder)['nn_http']}/webhdfs/v1{urllib.parse.quote(path)}?{asked}"
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
        content = answer.read()
    return dict(json.loads(content)) if content else {}


def resource_manager(folder: Path, path: str) -> Any:
    """Ask the ResourceManager over HTTP, such as `cluster/metrics`."""
    return _get(f"http://{HOST}:{_ports(folder)['rm_http']}/ws/v1/{path}")


def _ports(folder: Path) -> dict[str, int]:
    file = folder / "ports.json"
    if not file.is_file():
        names = [f"dn{i + 1}_{name}" for i in range(N_NODES) for name in hadoop_conf.NODE_PORTS]
        names += [f"nm{i + 1}_{name}" for i in range(N_NODES) for name in hadoop_conf.NODE_PORTS]
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(hadoop_conf.free_ports([*hadoop_conf.FIXED_PORTS, *names])))
    return dict(json.loads(file.read_text()))


def _places(folder: Path, name: str) -> list[str]:
    """Return the settings in which the DataNodes, and the NodeManagers, differ from each other."""
    ports, home = _ports(folder), folder / name
    own = [f"{HOST}:{ports.get(f'{name}_{port}')}" for port in hadoop_conf.NODE_PORTS]
    if name.startswith("dn"):
        keys = [f"dfs.datanode.{key}" for key in ("ipc.address", "address", "http.address")]
        more = {"dfs.datanode.data.dir": f"file://{home}/data", "dfs.datanode.hostname": HOST}
    elif name.startswith("nm"):
        keys = [f"yarn.nodemanager.{key}" for key in ("address", "localizer.address", "webapp.address")]
        more = {"yarn.nodemanager.hostname": HOST}
        more |= {f"yarn.nodemanager.{key}-dirs": f"{home}/{key}" for key in ("local", "log")}
    else:
        return []
    return [f"-D{key}={value}" for key, value in (dict(zip(keys, own, strict=True)) | more).items()]


def _java() -> str:
    home = os.environ.get("JAVA_HOME")
    return f"{home}/bin/java" if home and Path(home, "bin/java").exists() else shutil.which("java") or ""


def _javac() -> Path:
    return Path(_java()).resolve().with_name("javac")


def _compile(folder: Path) -> None:
    """Compile the filesystem of the NodeManagers, unless it is: they may be running."""
    made = folder / "node" / f"{hadoop_conf.NODE_FS.replace('.', '/')}.class"
    if made.is_file() and made.stat().st_mtime >= NODE_FS.stat().st_mtime:
        return
    command = [_javac(), "-cp", f"{maven_jars.folder_of(POM)}/*", "-d", folder / "node", NODE_FS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NodeError(f"{NODE_FS.name} could not be compiled: {done.stderr[-1000:]}")


def _java_command(folder: Path, heap: str, *, level: str, log: Path, first: str = "") -> list[str]:
    classes = f"{first}{folder}/conf:{folder}/web:{maven_jars.folder_of(POM)}/*"
    return [_java(), f"-Xmx{heap}", *JVM, f"-Drankhammer.log={level}", f"-Dhadoop.log.dir={log}", "-cp", classes]


def _java_run(folder: Path, heap: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*_java_command(folder, heap, level="ERROR", log=folder), *arguments]
    return subprocess.run(command, cwd=folder, env=_environ(folder), capture_output=True, text=True, check=False)


def _environ(folder: Path) -> dict[str, str]:
    home = str(Path(_java()).resolve().parents[1])
    kept = {key: os.environ[key] for key in ("PATH", "HOME", "USER", "LANG") if key in os.environ}
    # Containers get the address, too (yarn-site.xml): what runs in them listens on this machine alone.
    own = {"JAVA_HOME": home, "HADOOP_CONF_DIR": str(folder / "conf"), "SPARK_LOCAL_IP": HOST}
    return {**kept, **own, **watchdog.inherited()}


def _get(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def _hdfs_is_ready(ports: dict[str, int]) -> bool:
    beans = f"http://{HOST}:{ports['nn_http']}/jmx?qry=Hadoop:service=NameNode,name="
    alive = _get(f"{beans}FSNamesystemState")["beans"][0]["NumLiveDataNodes"]
    return bool(alive == N_NODES and not _get(f"{beans}NameNodeInfo")["beans"][0]["Safemode"])


def _yarn_is_ready(ports: dict[str, int]) -> bool:
    metrics = _get(f"http://{HOST}:{ports['rm_http']}/ws/v1/cluster/metrics")
    return bool(metrics["clusterMetrics"]["activeNodes"] == N_NODES)


def _wait(folder: Path, what: str, is_ready: Any) -> None:
    for _ in range(5 * WAIT_S):
        for name, pid in status(folder).items():
            if not pid:
                raise NodeError(f"{name} ended:\n{(folder / name / 'console.log').read_text(errors='replace')[-2000:]}")
        try:
            if is_ready():
                return
        except (urllib.error.URLError, OSError, ValueError, LookupError):
            pass
        time.sleep(0.2)
    raise NodeError(f"{what} did not answer within {WAIT_S} s; the daemons' logs are in {folder}/*/console.log")


def _end_containers(folder: Path, name: str) -> None:
    """End what runs in a NodeManager's folder for containers: it is found by its working folder."""
    homes = [str(home / "local") for home in folder.glob(name)]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = os.readlink(process / "cwd")
            if any(where.startswith(f"{home}/") for home in homes):
                os.kill(int(process.name), signal.SIGKILL)
        except OSError:
            continue


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["start", "stop", "status", "kill", "lose", "up", "run"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help="a daemon's name, or a client and its arguments")
    given = parser.parse_args()
    folder = given.folder.resolve()
    try:
        if given.verb == "start":
            print(f"export HADOOP_CONF_DIR={start(folder)} SPARK_LOCAL_IP={HOST}")
        elif given.verb == "status":
            print(*(f"{name}\t{pid or 'down'}" for name, pid in status(folder).items()), sep="\n")
        elif given.verb == "run":
            done = tool(folder, *given.rest)
            sys.stdout.write(done.stdout)
            sys.stderr.write(done.stderr)
            sys.exit(done.returncode)
        else:
            {"stop": stop, "kill": kill, "lose": lose, "up": up}[given.verb](folder, *given.rest)
    except NodeError as error:
        sys.exit(f"hadoop_cluster: {error}")


if __name__ == "__main__":
    main()
