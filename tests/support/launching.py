"""What tests of launches have in common."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

SCRIPT = """
import sys
print("counted", 6 * int(sys.argv[1]), flush=True)
"""
SLOW = """
import time
print("begun", flush=True)
time.sleep(120)
"""


def write(site, text=SCRIPT, name="job.py"):
    site.set(node__spark_submit="python3")
    file = site.folder / name
    file.write_text(text)
    return str(file)


def the_cluster(site):
    (found,) = site.aws.emr.clusters.values()
    return found


def wait_for(what, seconds=120):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end
        time.sleep(0.1)


def is_running(site):
    return any(step.state == "RUNNING" for cluster in site.aws.emr.clusters.values() for step in cluster.steps)


def has_ended(site):
    return the_cluster(site).state.startswith("TERMINATED")


def configure_emr(site, name, content):
    """Write a file of the environment emr."""
    (site.project / "conf" / "emr" / name).write_text(json.dumps(content))


def run_here(site, *arguments, **environ):
    """Run a command on the laptop, when the cluster has gone; return what it printed."""
    own = {**os.environ, **site.aws.environ, "XDG_CACHE_HOME": str(site.folder / "cache"), **environ}
    command = [sys.executable, "-m", "rankhammer", *arguments, "--env=emr"]
    done = subprocess.run(command, cwd=site.project, env=own, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
