"""How it was proved that an engine scores a written file as its exporter says: one of three words, and a sentence.

All files are scored by the engine's rules and compared with the booster before they are published; the word says who
has shown, in the project's tests or in the run itself, that these rules are the engine's.
"""

from __future__ import annotations

from typing import Literal

ProvedBy = Literal["real engine", "contract", "file only"]
"""A running engine loaded such files; a stand-in did, written from what real nodes answered; no engine did."""


def proved(by: ProvedBy, how: str) -> dict[str, str]:
    """Return the manifest's keys.

    Args:
        by: The word.
        how: What was run.
    """
    return {"proved_by": by, "proof": how}
