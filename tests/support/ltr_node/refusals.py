"""Refusals in the engine's own form."""

from __future__ import annotations

_SHARDS = ("search_phase_execution_exception", "all shards failed")


class Refusal(Exception):  # noqa: N818 - an answer, not an error
    """A status, and a chain of (type, reason) from the outermost to the innermost cause."""

    def __init__(self, status: int, *causes: tuple[str, str | None]) -> None:
        super().__init__(str(causes))
        self.status = status
        self.causes = causes

    def inside(self, *outer: tuple[str, str], status: int | None = None) -> Refusal:
        return Refusal(status or self.status, *outer, *self.causes)

    def body(self) -> dict:
        # What shards said stands in `failed_shards`, too; else only the outermost cause is called the root.
        by_shards = self.causes[0] == _SHARDS and len(self.causes) > 1
        root = _nested(self.causes[1:2] if by_shards else self.causes[:1])
        failed = {"failed_shards": [{"shard": 0, "reason": _nested(self.causes[1:])}]} if by_shards else {}
        return {"error": {"root_cause": [root], **failed, **_nested(self.causes)}, "status": self.status}


def _nested(causes: tuple[tuple[str, str], ...]) -> dict:
    error: dict = {}
    for kind, reason in reversed(causes):
        error = {"type": kind, "reason": reason, **({"caused_by": error} if error else {})}
    return error


def bad(kind: str, reason: str | None) -> Refusal:
    return Refusal(400, (kind, reason))


def illegal(reason: str) -> Refusal:
    return bad("illegal_argument_exception", reason)


def of_shards(*causes: tuple[str, str], status: int = 400) -> Refusal:
    """What every shard says comes wrapped."""
    return Refusal(status, _SHARDS, *causes)


def only_keys(given: dict, allowed: set[str], where: str, kind: str = "x_content_parse_exception") -> None:
    for key in given:
        if key not in allowed:
            raise bad(kind, f"[1:2] [{where}] unknown field [{key}]")
