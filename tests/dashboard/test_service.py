"""What `rankhammer dashboard install` refuses, and what it writes."""

from __future__ import annotations

import getpass

import pytest

from rankhammer.errors import ConfigError
from rankhammer.runs.dashboard_service import install_service


@pytest.fixture(autouse=True)
def _in_a_project(monkeypatch, tmp_path):
    monkeypatch.setattr("rankhammer.runs.dashboard_service.project_folder", lambda: tmp_path)


def _install(tmp_path, *options, place="unit"):
    return install_service(None, getpass.getuser(), tmp_path / "state", tmp_path / place, options, dry_run=False)


def test_every_option_of_the_dashboard_can_be_kept(tmp_path):
    text, token = _install(tmp_path, "--port=80", "--every=30", "--table-memory=256", "--name=a.example")
    assert "--table-memory=256" in text
    assert (tmp_path / "unit").read_text() == text
    assert token
    assert token not in text


@pytest.mark.parametrize("option", ["--every=often", "--table-memory=1", "--new-token", "--port=x"])
def test_what_the_dashboard_would_refuse_is_refused_now(tmp_path, option):
    with pytest.raises(ConfigError):
        _install(tmp_path, option)


def test_a_unit_that_cannot_be_written_is_named_with_the_cure(tmp_path):
    with pytest.raises(ConfigError, match="nowhere/unit cannot be written: No such file"):
        _install(tmp_path, place="nowhere/unit")
