"""Reads the fields of events."""

from __future__ import annotations

import hashlib
import json
import re
from sys import intern
from typing import TYPE_CHECKING, Any

import orjson

from rankhammer_doctor.event_log.sql import WRITE

if TYPE_CHECKING:
    from rankhammer_doctor.event_log.run import Stage

_DETAILS = 1500
_SURROGATE = re.compile(r"(?i)\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\ud[89a-f][0-9a-f]{2}")
_HALF = 6


def output_of(event: dict[str, Any]) -> str:
    """Return the path that a plan writes to; empty for one that writes nothing."""
    text = str(event.get("physicalPlanDescription", ""))
    # The last one: a formatted plan has a tree first, and then a section for each operator.
    place = text.rfind(WRITE)
    if place < 0:
        return ""
    section = text[place + len(WRITE) : place + _DETAILS]
    words = section.partition("\nArguments: ")[2] or section
    words_of_line = words.partition("\n")[0].replace(",", " ").split()
    return next((word for word in words_of_line if ":/" in word or word.startswith("/")), "")


def describe_stage(stage: Stage, info: dict[str, Any]) -> None:
    """Take what an event says of a stage: name, tasks, parents, RDDs."""
    stage.name = intern(str(info.get("Stage Name", stage.name)))
    stage.n_tasks = int(info.get("Number of Tasks", stage.n_tasks))
    stage.parents = tuple(int(one) for one in info.get("Parent IDs") or stage.parents)
    stage.submitted_ms = whole_or_none(info.get("Submission Time")) or stage.submitted_ms
    rdds = info.get("RDD Info") or ()
    stage.is_barrier = stage.is_barrier or any(one.get("Barrier") for one in rdds)
    if rdds and not stage.steps:
        names = sorted(_signature(one) for one in rdds)
        stage.steps = hashlib.blake2b("\n".join(names).encode(), digest_size=8).digest()


def _signature(rdd: dict[str, Any]) -> str:
    scope = rdd.get("Scope")
    name = orjson.loads(scope).get("name", "") if scope else ""
    return f"{rdd.get('Name', '')}|{name}|{rdd.get('Callsite', '')}"


def parse_line(line: bytes) -> dict[str, Any]:
    """Read a line; the standard library takes numbers and bytes that orjson refuses."""
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        event = json.loads(_SURROGATE.sub(_paired, line.decode(errors="replace")))
    if not isinstance(event, dict):
        raise TypeError("no object")
    return event


def _paired(found: re.Match[str]) -> str:
    """Leave a pair, which is one character, and replace half of one, which no text can hold."""
    return found[0] if len(found[0]) > _HALF else "\\ufffd"


def pairs_of(values: Any) -> dict[str, str]:
    """Read properties: an object, or a list of pairs."""
    pairs = values.items() if isinstance(values, dict) else (values or ())
    return {str(key): str(value) for key, value in pairs}


def whole_or_none(value: Any) -> int | None:
    """Read a number that may be left out, such as a point in time.

    Raises:
        TypeError: It is no number.
        ValueError: It is a text that is none.
    """
    return None if value is None else int(value)


def number_of(value: Any) -> int:
    """Read a number that may stand as a text; 0 for anything else."""
    try:
        return int(value)
    except (TypeError, ValueError):
        return 0
