"""What the commands end with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rankhammer_doctor.findings import Severity, worst

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rankhammer_doctor.findings import Finding

DONE = 0
USER_ERROR = 2
WARNINGS = 4
ERRORS = 5


def exit_code(findings: Iterable[Finding]) -> int:
    """Return 0, 4 where there are warnings, 5 where there are errors."""
    return {Severity.INFO: DONE, Severity.WARNING: WARNINGS, Severity.ERROR: ERRORS}[worst(findings)]
