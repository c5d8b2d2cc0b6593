"""Refusals in the engine's own form."""

from __future__ import annotations


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """A status, and a chain of (type, reason) from the outermost to the innermost cause."""

    def __init__(self, status: int, *causes: tuple[str, str]) -> None:
        super().__init__(str(causes))
        self.status = status
        self.causes = causes

    def inside(self, *outer: tuple[str, str], status: int | None = None) -> Refusal:
        return Refusal(status or self.status, *outer, *self.causes)

    def body(self) -> dict:
        error: dict = {}
        for kind, reason in reversed(self.causes):
            error = {"type": kind, "reason": reason, **({"caused_by": error} if error else {})}
        kind, reason = self.causes[0]
        return {"error": {"root_cause": [{"type": kind, "reason": reason}], **error}, "status": self.status}


def bad(kind: str, reason: str) -> Refusal:
    return Refusal(400, (kind, reason))


def illegal(reason: str) -> Refusal:
    return bad("illegal_argument_exception", reason)


def of_shards(*causes: tuple[str, str], status: int = 400) -> Refusal:
    """What every shard says comes wrapped."""
    return Refusal(status, ("search_phase_execution_exception", "all shards failed"), *causes)


def only_keys(given: dict, allowed: set[str], where: str, kind: str = "x_content_parse_exception") -> None:
    for key in given:
        if key not in allowed:
            raise bad(kind, f"[1:2] [{where}] unknown field [{key}]")
