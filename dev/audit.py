"""Asks the registry's advisories about every pinned package, and says so where nobody answered.

    dev/audit.py <pip-audit> <lock> ...

pip-audit alone says "no known vulnerabilities" of packages that the registry does not know; behind a mirror without
advisories these are all. Exit codes: 0, 1 where a package has a known vulnerability, 3 where nothing could be asked.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

VULNERABLE, NOT_AUDITED = 1, 3
_OPTIONS = ("--disable-pip", "--require-hashes", "--format=json", "--progress-spinner=off", "--timeout=20")
_SHOWN = 5


def audit(tool: str, lock: str) -> tuple[list[dict[str, Any]], str]:
    """Ask about a lock file.

    Returns:
        pip-audit's answer for each package, and the last line of what it ended with instead.
    """
    done = subprocess.run([tool, "-r", lock, *_OPTIONS], capture_output=True, text=True, check=False)
    try:
        return json.loads(done.stdout)["dependencies"], ""
    except (ValueError, KeyError):
        return [], (done.stderr.strip().splitlines() or ["no answer"])[-1]


def report(lock: str, packages: list[dict[str, Any]], error: str) -> int:
    """Print what is known of a lock's packages.

    Returns:
        Exit code.
    """
    asked = [package for package in packages if "skip_reason" not in package]
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if not asked:
        print(f"{lock}: NOT AUDITED: no registry of advisories can be reached from here ({error or skip(packages)}).")
        return NOT_AUDITED
    found = [(package, advisory) for package in asked for advisory in package["vulns"]]
    for package, advisory in found:
        fixed = ", ".join(advisory["fix_versions"]) or "no version"
        print(f"{lock}: {package['name']} {package['version']}: {advisory['id']}, mended in {fixed}")
    print(f"{lock}: {len(asked)} packages audited, {len(found)} known vulnerabilities.")
    if skipped:
        more = f" and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
        print(f"{lock}: {len(skipped)} NOT AUDITED: {', '.join(skipped[:_SHOWN])}{more}")
    return VULNERABLE if found else 0


def skip(packages: list[dict[str, Any]]) -> str:
    """Return why packages were left out."""
    return str(packages[0]["skip_reason"]) if packages else "no package"


def main(tool: str, *locks: str) -> int:
    """Audit lock files; return the gravest exit code, a vulnerability before a silence."""
    codes = {report(lock, *audit(tool, lock)) for lock in locks}
    return next((code for code in (VULNERABLE, NOT_AUDITED) if code in codes), 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
