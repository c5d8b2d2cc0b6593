"""A real OpenSearch or Elasticsearch node on this machine, for development and tests. Standard library only.

    python dev/engine_node.py start FOLDER opensearch 3.6.0 --port 9200 [--plugin ltr-3.6.0.0.zip]
    python dev/engine_node.py stop FOLDER

Maven fetches the node's minimal distribution once; it is kept in ~/.cache/rankhammer. The node listens on 127.0.0.1
alone, without login, with a heap of 512 MB, and starts as fast as it can. Needs mvn for the first start, and a JDK:
OpenSearch 3 and Elasticsearch 9 want 21 or newer, OpenSearch 2 wants 11 to 23, Elasticsearch 8 wants 17 or newer. A
plugin is a zip on this machine that was built for the very version of the node.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
import watchdog

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rankhammer" / "engines"
COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"
GROUPS = {"opensearch": "org.opensearch", "elasticsearch": "org.elasticsearch"}
PREFIXES = {"opensearch": "OPENSEARCH", "elasticsearch": "ES"}
NO_MAVEN = "mvn is not on the PATH, and no node is in the cache"
UNPRIVILEGED = "nobody"
"""Both products refuse to run as root; then the node runs as this user."""

HEAP = "512m"
FAST_START = "-XX:TieredStopAtLevel=1 -XX:-UseG1GC -XX:+UseSerialGC"
"""A node of tests lives for a minute: starting OpenSearch 3 so took 9 instead of 19 seconds of CPU, Elasticsearch 8 7
instead of 11. The collector that the product names itself has to be taken back."""

WAIT_S = 180

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Nodes that this process started: one that ended stays in the system's table until its parent asks for it."""


class NodeError(Exception):
    """A node could not be fetched or started."""


def available(product: str, version: str) -> str:
    """Return why a node cannot be started here; empty when it can."""
    if not _archive(product, version).is_file() and not shutil.which("mvn"):
        return NO_MAVEN
    try:
        find_jdk(product, version)
    except NodeError as error:
        return str(error)
    return ""


def fetch(product: str, version: str) -> Path:
    """Return the node's distribution, downloaded where it is not there yet."""
    archive = _archive(product, version)
    if archive.is_file():
        return archive
    if not shutil.which("mvn"):
        raise NodeError(NO_MAVEN)
    CACHE.mkdir(parents=True, exist_ok=True)
    artifact = f"{GROUPS[product]}.distribution.integ-test-zip:{product}:{version}:zip"
    with tempfile.TemporaryDirectory(dir=CACHE) as arriving:
        command = ["mvn", "-B", "-ntp", "-q", "-U", COPY, f"-Dartifact={artifact}", f"-DoutputDirectory={arriving}"]
        done = subprocess.run(command, cwd=arriving, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NodeError(f"Maven has no {artifact}: {(done.stdout + done.stderr)[-500:]}")
        (Path(arriving) / archive.name).replace(archive)
    return archive


def find_jdk(product: str, version: str) -> Path:
    """Return the home of a JDK that this node runs on."""
    low, high = _java_range(product, int(version.split(".")[0]))
    on_path = shutil.which("java")
    homes = [os.environ.get("JAVA_HOME"), on_path and str(Path(on_path).resolve().parents[1])]
    for home in [Path(home) for home in homes if home] + sorted(Path("/usr/lib/jvm").glob("*")):
        release = home / "release"
        found = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE) if release.is_file() else None
        if found and low <= int(found[1]) <= high:
            return home
    raise NodeError(f"{product} {version} needs a JDK from {low} to {high}; none is in JAVA_HOME, PATH or /usr/lib/jvm")


def plugin_version(plugin: Path, product: str) -> str:
    """Return the version of the product that a plugin's zip was built for.

    Raises:
        NodeError: The file is no such plugin.
    """
    try:
        with zipfile.ZipFile(plugin) as archive:
            descriptor = archive.read("plugin-descriptor.properties").decode()
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise NodeError(f"{plugin} is no plugin's zip: {error}") from error
    found = re.search(rf"^{product}\.version=(\S+)", descriptor, re.MULTILINE)
    if not found:
        raise NodeError(f"{plugin} is no plugin for {product}")
    return found[1]


def start(
    folder: Path,
    product: str,
    version: str,
    port: int,
    plugin: Path | None = None,
    java_options: str = FAST_START,
) -> str:
    """Start a node that lives in a folder, and wait until it answers. A node that runs already is left alone.

    Args:
        folder: Its home; data in it outlive a stop.
        product: opensearch or elasticsearch.
        version: Of the product.
        port: Where it listens; port + 1000 is its transport.
        plugin: Zip of a plugin to install; None for none.
        java_options: Beside those of its heap; "" where it is to answer fast for long.

    Returns:
        Its address.
    """
    if plugin and plugin_version(plugin, product) != version:
        raise NodeError(f"{plugin} is for {product} {plugin_version(plugin, product)}, not {version}")
    url = f"http://127.0.0.1:{port}"
    if running(folder):
        return url
    if _answers(url):
        raise NodeError(f"port {port} is taken")
    home = _install(folder, product, version, plugin)
    _configure(home, folder, product, port)
    log = folder / "logs" / "console.log"
    with log.open("ab") as out:
        process = _launch(home, folder, (product, version), java_options, out)
    adopt(folder, process)
    (folder / "port").write_text(str(port))
    _wait(url, process, log)
    return url


def adopt(folder: Path, process: subprocess.Popen[bytes]) -> None:
    """Remember which process runs a folder's node; the folder's path is among its arguments."""
    _children[process.pid] = process
    (folder / "pid").write_text(str(process.pid))


def stop(folder: Path, how: int = signal.SIGTERM) -> None:
    """End the folder's node, and wait until it is gone.

    Args:
        folder: Where it lives.
        how: SIGTERM, or SIGKILL to see what a crash does.
    """
    pid = running(folder)
    if not pid:
        return
    os.kill(pid, how)
    for _ in range(120):
        if not running(folder):
            return
        time.sleep(0.25)
    os.kill(pid, signal.SIGKILL)


def running(folder: Path) -> int:
    """Return the process id of the folder's node, 0 when there is none."""
    try:
        pid = int((folder / "pid").read_text())
    except (OSError, ValueError):
        return 0
    if pid in _children:
        # A command line is empty for a moment when a process begins.
        return pid if _children[pid].poll() is None else 0
    command = Path(f"/proc/{pid}/cmdline")
    return pid if command.exists() and str(folder).encode() in command.read_bytes() else 0


def _archive(product: str, version: str) -> Path:
    return CACHE / f"{product}-{version}.zip"


def _java_range(product: str, major: int) -> tuple[int, int]:
    if product == "opensearch":
        return (11, 23) if major < 3 else (21, 99)
    return (17, 99) if major < 9 else (21, 99)


def _install(folder: Path, product: str, version: str, plugin: Path | None) -> Path:
    home, done = folder / f"{product}-{version}", folder / "installed"
    if not done.is_file() or done.read_text() != str(plugin or ""):
        shutil.rmtree(home, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(fetch(product, version)) as archive:
            for member in archive.infolist():
                path = archive.extract(member, folder)
                if member.external_attr >> 16:
                    os.chmod(path, (member.external_attr >> 16) & 0o777)
        if plugin:
            _add_plugin(home, product, version, plugin)
        done.write_text(str(plugin or ""))
    return home


def _add_plugin(home: Path, product: str, version: str, plugin: Path) -> None:
    command = [str(home / "bin" / f"{product}-plugin"), "install", "--batch", plugin.resolve().as_uri()]
    env = {"PATH": os.environ["PATH"], f"{PREFIXES[product]}_JAVA_HOME": str(find_jdk(product, version))}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NodeError(f"{plugin} did not install: {(done.stdout + done.stderr)[-500:]}")


def _configure(home: Path, folder: Path, product: str, port: int) -> None:
    for name in ("data", "logs", "tmp"):
        (folder / name).mkdir(exist_ok=True)
    settings = {
        "cluster.name": "rankhammer-development",
        "network.host": "127.0.0.1",
        "http.port": port,
        "transport.port": port + 1000,
        "discovery.type": "single-node",
        "path.data": folder / "data",
        "path.logs": folder / "logs",
        "cluster.routing.allocation.disk.threshold_enabled": "false",
    }
    if product == "elasticsearch":
        settings["xpack.security.enabled"] = "false"
    lines = "".join(f"{key}: {value}\n" for key, value in settings.items())
    (home / "config" / f"{product}.yml").write_text(lines)


def _launch(
    home: Path, folder: Path, engine: tuple[str, str], java_options: str, out: object
) -> subprocess.Popen[bytes]:
    product, version = engine
    prefix = PREFIXES[product]
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        f"{prefix}_JAVA_HOME": str(find_jdk(product, version)),
        f"{prefix}_TMPDIR": str(folder / "tmp"),
        f"{prefix}_JAVA_OPTS": f"-Xms{HEAP} -Xmx{HEAP} {java_options}",
        **watchdog.inherited(),
    }
    who = {}
    if os.geteuid() == 0:
        shutil.chown(folder, UNPRIVILEGED)
        subprocess.run(["chown", "-R", UNPRIVILEGED, str(folder)], check=True)
        who = {"user": UNPRIVILEGED, "group": "nogroup" if Path("/etc/debian_version").exists() else UNPRIVILEGED}
        who["extra_groups"] = []
    command = [str(home / "bin" / product)]
    return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
        command, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, **who
    )


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(2 * WAIT_S):
        if process.poll() is not None:
            raise NodeError(f"the node ended with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
        if _answers(url):
            return
        time.sleep(0.5)
    process.terminate()
    raise NodeError(f"the node did not answer within {WAIT_S} s:\n{log.read_text(errors='replace')[-2000:]}")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_cluster/health", timeout=5) as answer:
            return json.load(answer)["status"] in ("yellow", "green")
    except (urllib.error.URLError, OSError, ValueError, KeyError):
        return False


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    starting = verbs.add_parser("start", help="fetch, install and start a node")
    starting.add_argument("folder", type=Path)
    starting.add_argument("product", choices=sorted(GROUPS))
    starting.add_argument("version")
    starting.add_argument("--port", type=int, default=9200)
    starting.add_argument("--plugin", type=Path, help="zip of a plugin to install")
    stopping = verbs.add_parser("stop", help="end the node that lives in a folder")
    stopping.add_argument("folder", type=Path)
    given = parser.parse_args()
    folder = given.folder.resolve()
    try:
        if given.verb == "start":
            print(start(folder, given.product, given.version, given.port, given.plugin))
        else:
            stop(folder)
    except NodeError as error:
        sys.exit(f"engine_node: {error}")


if __name__ == "__main__":
    main()
