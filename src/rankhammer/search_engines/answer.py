"""What an engine said: read by a declared shape, or refused with its own words and whether waiting helps."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from rankhammer.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

BUSY = 429
GONE = (502, 503, 504)
_REFUSED = 400
_NO_SHARD = "no_shard_available_action_exception"
"""A shard is not there yet: for some seconds after a node's start, and with any status of what asked for it."""


def must_wait(status: int, body: Any) -> bool:
    """Say whether a refusal passes: the engine is busy, starts, or has not opened all shards again.

    Args:
        status: HTTP status, or a member's own one.
        body: The answer, or a member of it.
    """
    if status in (BUSY, *GONE):
        return True
    if status >= _REFUSED:
        return _lacks_shard(body)
    return n_closed_shards(body) > 0


def n_closed_shards(body: Any) -> int:
    """Return how many shards an answer lacks because they are not open: they failed, and none is named with a reason.

    Args:
        body: The answer to a search, or a member of one.
    """
    shards = body.get("_shards") if isinstance(body, dict) else None
    if not isinstance(shards, dict) or not isinstance(shards.get("failed"), int):
        return 0
    is_closed = not shards.get("failures") or _lacks_shard(shards)
    return int(shards["failed"]) if is_closed and not body.get("timed_out") else 0


def reason_of(body: Any) -> str:
    """Return an engine's own words: of a chain of causes the innermost that has a reason.

    Args:
        body: The answer; a text, or any JSON.
    """
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        return _innermost(body["error"])
    return body if isinstance(body, str) else json.dumps(body)


def _lacks_shard(body: Any) -> bool:
    return any(cause.get("type") == _NO_SHARD for cause in _all_causes(body))


def _innermost(error: dict[str, Any]) -> str:
    """The outer causes only say where it was noticed. Solr has one, `msg`."""
    if "msg" in error:
        return str(error["msg"])
    root = _first(error.get("root_cause"))
    chains = [_chain(start) for start in (_shard_reason(error), error, root) if isinstance(start, dict)]
    with_reason = [[cause for cause in chain if cause.get("reason")] for chain in chains]
    deep = next((causes for chain, causes in zip(chains, with_reason, strict=True) if len(chain) > 1 and causes), None)
    of_root = with_reason[-1] if isinstance(root, dict) else []
    found = (deep or of_root or next(filter(None, with_reason), [error]))[-1]
    return f"{found.get('type', 'error')}: {found.get('reason') or ''}".strip().rstrip(":")


def _shard_reason(error: dict[str, Any]) -> Any:
    shard = _first(error.get("failed_shards"))
    return shard.get("reason") if isinstance(shard, dict) else None


def _first(found: Any) -> Any:
    return found[0] if isinstance(found, list) and found else None


def _chain(error: dict[str, Any]) -> list[dict[str, Any]]:
    """Return an error and what caused it, the deepest last."""
    found = [error]
    while isinstance(found[-1].get("caused_by"), dict):
        found.append(found[-1]["caused_by"])
    return found


def _all_causes(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of an answer: causes stand in lists of roots and of shards, too."""
    waiting = [part]
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield found
            waiting += found.values()
        elif isinstance(found, list):
            waiting += found


_MAX_QUOTED, _MAX_SHOWN = 500, 120
_HINT = "Is a proxy or another server in between? See that `url` is the engine's own address."


class Shape(BaseModel):
    """What an answer has to hold; it may hold more."""

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True, hide_input_in_errors=True)


ShapeT = TypeVar("ShapeT", bound=Shape)


@dataclass(frozen=True)
class Response:
    """What an engine said.

    Args:
        status: HTTP status.
        body: The parsed JSON; the text where it is none.
        duration_s: Seconds from the question to the whole answer.
        where: Method and address of the question.
        hide: Takes out of a text what must not be shown.
    """

    status: int
    body: Any
    duration_s: float
    where: str = "the engine"
    hide: Callable[[str], str] = field(default=str, repr=False, compare=False)

    @property
    def reason(self) -> str:
        """The engine's own words for a refusal, shortened, without secrets that they repeat."""
        return _short(self.hide(reason_of(self.body)), _MAX_QUOTED)

    def read(self, shape: type[ShapeT]) -> ShapeT:
        """Return the body as a shape.

        Args:
            shape: What it has to hold.

        Raises:
            EngineError: It does not.
        """
        try:
            return shape.model_validate(self.body)
        except ValidationError as exc:
            fault = exc.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, fault["loc"]))
            raise self.unreadable(f"{place}: {fault['msg']}" if place else str(fault["msg"])) from None

    def read_list(self, shape: type[ShapeT]) -> list[ShapeT]:
        """Return the body, a list, as shapes.

        Raises:
            EngineError: It is no list, or an element of it has another shape.
        """
        if not isinstance(self.body, list):
            raise self.unreadable("Input should be a list")
        return [Response(self.status, row, 0.0, self.where, self.hide).read(shape) for row in self.body]

    def unreadable(self, why: str) -> EngineError:
        """Return the error that says that the body is not what such a question is answered."""
        body = self.body if isinstance(self.body, str) else json.dumps(self.body)
        message = _short(self.hide(body), _MAX_SHOWN)
        return EngineError(
            f"{self.where} is answered {self.status} and something else than expected ({why}): {message}",
            hint=_HINT,
            status=self.status,
        )


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Take what goes wrong inside for an answer of another shape: for answers that are too large to check beforehand.

    Args:
        what: Whose answer is read, for the message.

    Raises:
        EngineError: Something is missing, or of another type.
    """
    try:
        yield
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as exc:
        raise EngineError(
            f"{what} is answered something else than expected ({type(exc).__name__}: {_short(str(exc), _MAX_SHOWN)}).",
            hint=_HINT,
        ) from exc


def parsed(data: bytes) -> Any:
    """Return JSON as values, and everything else as a text."""
    try:
        return orjson.loads(data)
    except ValueError:
        return data.decode(errors="replace")


def _short(text: str, n: int) -> str:
    return " ".join(text.split())[:n]
