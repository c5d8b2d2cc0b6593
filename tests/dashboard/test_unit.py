"""The unit that keeps the dashboard running, as systemd itself reads it."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from rankhammer.dashboard.unit import NAME, Service, quoted, unit
from rankhammer.errors import ConfigError


def service(**changed) -> Service:
    about = {
        "program": sys.executable,
        "project": "/srv/my project",
        "user": "root",
        "state": "/var/lib/x",
        "port": 443,
    }
    return Service(**{**about, "arguments": ("--env=prod", "--port", "443"), **changed})


def test_a_unit_may_write_to_one_folder_and_bind_a_low_port():
    lines = unit(service()).splitlines()
    assert f"ExecStart={sys.executable} dashboard --env=prod --port 443" in lines
    assert 'WorkingDirectory="/srv/my project"' in lines
    assert "ReadWritePaths=/var/lib/x" in lines
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE" in lines
    assert "AmbientCapabilities=" in unit(service(port=8050)).splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/a/b", "/a/b"),
        ("a b", '"a b"'),
        ('a"b', '"a\\"b"'),
        ("50%", '"50%%"'),
        ("$HOME", '"$$HOME"'),
        ("a;b", '"a;b"'),
    ],
)
def test_no_sign_of_a_path_means_anything(text, expected):
    assert quoted(text) == expected


@pytest.mark.parametrize("changed", [{"user": "root\nExecStart=/bin/sh"}, {"project": "/a\nb"}, {"user": ""}])
def test_a_line_cannot_be_slipped_in(changed):
    with pytest.raises(ConfigError):
        unit(service(**changed))


def test_systemd_takes_it(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze here")
    (tmp_path / NAME).write_text(unit(service(project=str(tmp_path))))
    answer = subprocess.run(["systemd-analyze", "verify", tmp_path / NAME], capture_output=True, text=True)
    assert NAME not in answer.stderr
