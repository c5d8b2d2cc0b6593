"""Which faults a run of CI has the time for, and in which order. Standard library only.

`.ci/run` says when it began, how slow the machine is and how long the tests took; RANKHAMMER_CI_MINUTES is its limit.
What everything takes on a machine of reference stands in dev/time_budgets.json.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import machine_speed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BUDGETS = Path(__file__).with_name("time_budgets.json")
MEMORY = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rankhammer" / "ci_faults.json"
"""When each fault was last run on this machine, where something is kept from one run of CI to the next."""

LIMIT, BEGAN, TESTED = "RANKHAMMER_CI_MINUTES", "RANKHAMMER_CI_BEGAN", "RANKHAMMER_TEST_S"
LIMIT_MINUTES, GOOD_MINUTES = 75.0, 25.0
"""What CI may take on any machine, and on one of reference; on those between it may take longer as they are slower."""

N_PARTS = 3
"""A machine of reference runs each fault once in so many commits."""

SPREAD = 1.15
"""A fault may take this much longer than planned."""

MAY_GROW = 1.05
"""By so much may the tests grow before their budget is no longer theirs."""


@dataclass(frozen=True)
class Budgets:
    """Seconds on a machine of reference: of the tests, of what faults share, of each fault, and of named suites."""

    set_up: float
    make_test: float
    end: float
    shared: dict[str, float]
    faults: dict[str, float]
    suites: dict[str, float]


@dataclass(frozen=True)
class Fault:
    """A test that breaks something: its id, seconds on a machine of reference, and the set-up that it shares."""

    id: str
    seconds: float
    shared: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Clock:
    """What is known of a machine and of the run on it: moments in seconds since 1970.

    Attributes:
        began: When the run did.
        limit_s: When it must be over, in seconds after its beginning.
        slowdown: How many times longer than on a machine of reference work takes, at least 1.
    """

    began: float
    limit_s: float
    slowdown: float

    @property
    def end(self) -> float:
        """When the run should be over: on a good machine long before it must."""
        return self.began + min(self.limit_s, 60 * GOOD_MINUTES * self.slowdown)


def read_budgets() -> Budgets:
    """Return what everything takes on a machine of reference."""
    return Budgets(**json.loads(BUDGETS.read_text()))


def read_clock(environ: Mapping[str, str], now: float) -> Clock:
    """Return what `.ci/run` has said; by hand, a run begins now.

    How slow the machine is, is measured, and told by how long the tests took; the slower one counts.
    """
    limit_s = 60 * float(environ.get(LIMIT) or LIMIT_MINUTES)
    tested = float(environ.get(TESTED) or 0) / read_budgets().make_test
    return Clock(float(environ.get(BEGAN) or now), limit_s, max(machine_speed.slowdown(machine_speed.N), tested))


def ends_at(environ: Mapping[str, str]) -> float:
    """Return when this run of CI must be over, 0 where none runs; in seconds since 1970."""
    if not environ.get(BEGAN):
        return 0.0
    return float(environ[BEGAN]) + 60 * float(environ.get(LIMIT) or LIMIT_MINUTES)


def in_turn(faults: Iterable[Fault], commit: int, last_run: Mapping[str, float] | None = None) -> list[Fault]:
    """Return all faults, those first whose turn it is.

    They are dealt to three parts that take equally long. Each commit begins with the next part, so that three in a row
    begin with every one; and each time that a part is the first, another fault is the first in it, so that a machine
    on which few fit comes to all of them. What is remembered of this machine goes before that.

    Args:
        faults: In any order.
        commit: Number of the commit.
        last_run: Fault to when it was last run here, seconds since 1970; those that are not in it never were.
    """
    parts = _parts(faults)
    first, turn = commit % N_PARTS, commit // N_PARTS
    ring = [parts[(first + place) % N_PARTS] for place in range(N_PARTS)]
    turned = [fault for part in ring for fault in _rotated(part, turn)]
    known = last_run or {}
    return sorted(turned, key=lambda fault: known.get(fault.id, 0.0))


def fitting(
    faults: Iterable[Fault], seconds: float, slowdown: float, budgets: Budgets, ready: frozenset[str] = frozenset()
) -> list[Fault]:
    """Return the faults that end in time, in the order given; a long one that does not makes room for shorter ones.

    Args:
        faults: Those whose turn it is first.
        seconds: Left of the run.
        slowdown: Of the machine.
        budgets: What shared set-up takes, and the end.
        ready: Shared set-up that is done.
    """
    chosen: list[Fault] = []
    for fault in faults:
        if slowdown * cost([*chosen, fault], budgets, ready) <= seconds:
            chosen.append(fault)
    return chosen


def cost(faults: Iterable[Fault], budgets: Budgets, ready: frozenset[str] = frozenset()) -> float:
    """Return the seconds that faults take on a machine of reference, with what they share and the end of it all.

    Args:
        faults: Which.
        budgets: What shared set-up takes, and the end.
        ready: Shared set-up that is done.
    """
    faults = list(faults)
    shared = frozenset().union(*(fault.shared for fault in faults)) - ready
    parts = [*(fault.seconds for fault in faults), *(budgets.shared[name] for name in shared), budgets.end]
    return SPREAD * sum(parts)


def commit_number(root: Path) -> int:
    """Return how many commits lead to this one; where history is cut off, a number that its id gives."""
    if _git(root, "rev-parse", "--is-shallow-repository") == "true":
        return int(_git(root, "rev-parse", "HEAD")[:8] or "0", 16)
    return int(_git(root, "rev-list", "--count", "HEAD") or 0)


def recall(file: Path | None = None) -> dict[str, float]:
    """Return when each fault was last run on this machine; empty where nobody knows."""
    try:
        known = json.loads((file or MEMORY).read_text())
        return {str(name): float(when) for name, when in known.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def remember(fault: str, when: float, file: Path | None = None) -> None:
    """Note that a fault was run; where nothing can be kept, the commit alone decides whose turn it is."""
    file = file or MEMORY
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        arriving = file.with_name(f"{file.name}.{os.getpid()}")
        arriving.write_text(json.dumps(recall(file) | {fault: when}, indent=1))
        arriving.replace(file)


def _parts(faults: Iterable[Fault]) -> list[list[Fault]]:
    """Deal faults out, the longest first, each to the part that takes least so far."""
    parts: dict[int, list[Fault]] = defaultdict(list)
    for fault in sorted(faults, key=lambda fault: (-fault.seconds, fault.id)):
        parts[min(range(N_PARTS), key=lambda n: sum(one.seconds for one in parts[n]))].append(fault)
    return [parts[n] for n in range(N_PARTS)]


def _rotated(part: list[Fault], turn: int) -> list[Fault]:
    begin = turn % max(1, len(part))
    return part[begin:] + part[:begin]


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""
