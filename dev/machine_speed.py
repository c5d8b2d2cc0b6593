"""How slow this machine is beside the one that dev/time_budgets.json was measured on. Standard library only.

python dev/machine_speed.py       # 1.00: as fast, or faster; 3.00: it takes three times as long
"""

from __future__ import annotations

import os
import time

NAME = "RANKHAMMER_SLOWDOWN"
"""Variable that says how slow the machine is; what it says is not measured again."""

REFERENCE_S = 0.5
"""What `N` additions take on the machine of reference."""

N, QUICK_N = 20_000_000, 2_000_000


def slowdown(n: int = QUICK_N) -> float:
    """Return how many times longer than on the machine of reference work takes here, at least 1.

    Args:
        n: Additions to measure with; fewer take less time and are less exact.
    """
    known = os.environ.get(NAME)
    return max(1.0, float(known) if known else _seconds(n) * N / n / REFERENCE_S)


def _seconds(n: int) -> float:
    began, total = time.perf_counter(), 0
    for number in range(n):
        total += number
    return time.perf_counter() - began


if __name__ == "__main__":
    print(f"{slowdown(N):.2f}")
