"""What a run reads of earlier ones is what they wrote, or an error; and what the error names as cure is one."""

from __future__ import annotations

from typing import Any

from fuzzing.damage import DAMAGES, files_below
from fuzzing.outcomes import in_time, outcome, writes_only
from fuzzing.seeds import numbered, rng_of
from fuzzing.states import KINDS, Table

MAX_S = 30.0


@numbered(90)
def test_damaged_state_is_read_as_it_was_written_or_refused_and_can_be_made_again(spark, place, number):
    rng = rng_of("states", number)
    kind = list(KINDS)[number % len(KINDS)]
    state: Any = Table(place, spark) if kind == "table" else KINDS[kind](place)
    state.make()
    what = [rng.choice(DAMAGES)(files_below(place), rng) for _ in range(rng.choice([1, 1, 1, 2])) if files_below(place)]
    print(kind, *what, sep="\n")  # noqa: T201
    with in_time(MAX_S), writes_only(place / "work"):
        found, error = outcome(state.read)
        assert error is not None or found == state.written
        state.cure(error)
        assert outcome(state.read) == (state.written, None)
