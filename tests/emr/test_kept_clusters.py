"""Clusters that wait for further jobs, questions at the terminal, and the other kinds of jobs."""

from __future__ import annotations

import os
import signal
import sys
import zipfile

import pytest
from launching import SLOW, has_ended, is_running, the_cluster, wait_for, write
from terminal import Terminal

pytestmark = [pytest.mark.emr, pytest.mark.budget("emr")]


@pytest.fixture
def kept(site):
    """A cluster that waits for an hour, whose hours are short."""
    code, said = site.run("launch", "--keep-alive", "1", "--script", write(site), "--", "7")
    assert code == 0, said
    return site


def test_a_job_that_fails_on_a_kept_cluster_leaves_it_waiting_for_the_next(kept):
    cluster = the_cluster(kept)
    code, said = kept.run("step", cluster.id, "--script", write(kept, "raise SystemExit('no log')", "bad.py"))
    assert code == 7, said
    assert "| no log" in said
    assert cluster.state == "WAITING"
    process = kept.start("step", cluster.id, "--script", write(kept, SLOW, "slow.py"))
    wait_for(lambda: is_running(kept))
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert [step.state for step in cluster.steps] == ["COMPLETED", "FAILED", "CANCELLED"]
    # Nobody comes back: it ends by itself.
    cluster.second_s = 0.0001
    wait_for(lambda: has_ended(kept))
    assert cluster.state == "TERMINATED"
    code, said = kept.run("step", cluster.id, "--script", write(kept), "--", "7")
    assert code == 2, said
    assert "takes no more jobs" in said


def test_ctrl_c_in_a_terminal_asks_before_it_ends_a_cluster(site):
    command = [sys.executable, "-m", "rankhammer", "emr", "launch", "--script", write(site, SLOW)]
    environ = {name: value for name, value in os.environ.items() if name.startswith("RANKHAMMER")}
    terminal = Terminal(command, site.project, **environ, **site.aws.environ)
    wait_for(lambda: is_running(site))
    terminal.type("\x03")
    wait_for(lambda: f"End {the_cluster(site).id}?" in terminal.text)
    terminal.type("n\n")
    assert terminal.ended() == 130, terminal.text
    assert "runs on" in terminal.text
    assert the_cluster(site).state == "RUNNING"
    code, said = site.run("destroy", "--cluster", the_cluster(site).id, "--yes")
    assert code == 0, said
    wait_for(lambda: has_ended(site))


def test_a_module_of_a_wheel_runs_with_its_arguments(site):
    wheel = site.folder / "shop-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("shop/__init__.py", "FACTOR = 6\n")
        file.writestr(
            "shop/job.py", "import sys\nfrom shop import FACTOR\nprint('counted', FACTOR * int(sys.argv[1]))\n"
        )
        file.writestr("shop-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    submit = site.folder / "submit"
    submit.write_text(f'#!/bin/sh\n[ "$1" = --py-files ] && shift 2\nPYTHONPATH=app exec {sys.executable} "$@"\n')
    submit.chmod(0o755)
    site.set(node__spark_submit=str(submit))
    code, said = site.run("launch", "--wheel", str(wheel), "--module", "shop.job", "--", "7")
    assert code == 0, said + site.aws.node.log()
    assert "| counted 42" in said
    code, said = site.run("launch", "--wheel", str(wheel), "--module", "shop.jbo", "--", "7")
    assert code == 2, said
    assert "holds no module 'shop.jbo'" in said


REGISTRY = """
from kedro.pipeline import Pipeline, node


def counted():
    print("counted", 6 * 7, flush=True)
    return 42


def register_pipelines():
    return {"__default__": Pipeline([node(counted, None, "answer")])}
"""
PYPROJECT = (
    '[tool.kedro]\npackage_name = "other"\nproject_name = "other"\nkedro_init_version = "1.7.0"\nsource_dir = "src"\n'
)


def test_another_kedro_project_runs_without_its_secrets(site):
    other = site.folder / "other"
    files = {
        "pyproject.toml": PYPROJECT,
        ".telemetry": "consent: false\n",
        "src/other/__init__.py": "",
        "src/other/settings.py": "",
        "src/other/pipeline_registry.py": REGISTRY,
        "conf/base/catalog.yml": "{}",
        "conf/base/parameters.yml": "{}",
        "conf/local/credentials.yml": "key: secret",
    }
    for name, content in files.items():
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(content)
    code, said = site.run("launch", "--project", str(other))
    assert code == 0, said + site.aws.node.log()
    assert "counted 42" in said
    jobs = list((site.folder / "node" / "mnt" / "jobs").iterdir())
    assert not [path for job in jobs for path in job.rglob("credentials.yml")]
