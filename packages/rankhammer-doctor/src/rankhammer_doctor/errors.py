"""The error that a user can cause or cure."""

from __future__ import annotations


class DoctorError(Exception):
    """What was asked for cannot be done; the command line ends it with exit code 2.

    Args:
        message: What failed, what was found, and where.
        hint: One action that cures it.
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHint: {self.hint}" if self.hint else self.message
