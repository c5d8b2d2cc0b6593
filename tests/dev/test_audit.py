"""`make audit` never takes silence for "no vulnerability"."""

from __future__ import annotations

import json

import audit
import pytest

SAFE = {"name": "safe", "version": "1", "vulns": []}
HOLED = {"name": "holed", "version": "2", "vulns": [{"id": "CVE-1", "fix_versions": ["3"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found: unknown (1)"}


def asked(tmp_path, text: str) -> int:
    tool = tmp_path / "pip-audit"
    tool.write_text(f"#!/bin/sh\ncat <<'END'\n{text}\nEND\necho the reason >&2\n")
    tool.chmod(0o755)
    return audit.main(str(tool), "requirements.lock")


@pytest.mark.parametrize(
    ("packages", "code", "message"),
    [
        ([SAFE], 0, "1 packages audited, 0 known vulnerabilities"),
        ([SAFE, HOLED], 1, "holed 2: CVE-1, mended in 3"),
        ([SAFE, UNKNOWN], 0, "1 NOT AUDITED: unknown"),
        ([UNKNOWN], 3, "no registry of advisories can be reached from here (Dependency not found"),
        ([], 3, "NOT AUDITED"),
    ],
)
def test_each_answer_is_told(tmp_path, capsys, packages, code, message):
    assert asked(tmp_path, json.dumps({"dependencies": packages})) == code
    assert message in capsys.readouterr().out


def test_a_registry_that_cannot_be_reached_is_told_and_is_no_success(tmp_path, capsys):
    assert asked(tmp_path, "Traceback") == 3
    assert "no registry of advisories can be reached from here (the reason)" in capsys.readouterr().out
