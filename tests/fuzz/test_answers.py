"""Whatever a server answers: a call ends in time, in what it asked for or in an error that says what was answered."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fuzzing.conversations import NAMES, conversation
from fuzzing.hostile_servers import HostileServer
from fuzzing.outcomes import in_time, outcome, writes_only
from fuzzing.seeds import numbered, rng_of
from shop import export

from rankhammer.deploy import read_exported_ranker
from rankhammer.http_client.exchange import ExchangeLimits
from rankhammer.yarn import resource_manager

if TYPE_CHECKING:
    from rankhammer.deploy import ExportedRanker

MAX_S = 15.0
NEVER = 10**9


@pytest.fixture(scope="module")
def rankers(tmp_path_factory) -> list[ExportedRanker]:
    folder = tmp_path_factory.mktemp("rankers")
    return [read_exported_ranker(export(folder, version="3.6", seed=seed)) for seed in range(2)]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Seconds of waiting become tenths; how long is waited is no question here."""
    monkeypatch.setattr(resource_manager, "LIMITS", ExchangeLimits(timeout_s=0.5, max_bytes=2**20))
    monkeypatch.setattr("rankhammer.feature_sources.remote.plugin_logging.FIRST_PAUSE_S", 0.01)


_N_ASKED: dict[str, int] = {}


def n_asked(name: str, rankers: list[ExportedRanker]) -> int:
    """Return how many requests a conversation takes with a sound server."""
    if name not in _N_ASKED:
        sound = conversation(name, rankers)
        with HostileServer(sound.sound, rng_of(name, 0), NEVER) as server:
            sound.act(server.url)
            _N_ASKED[name] = server.n_asked
    return _N_ASKED[name]


@numbered(150)
def test_an_answer_of_any_content_ends_a_call_in_time_and_in_an_error_that_says_so(place, rankers, number):
    rng, name = rng_of("answers", number), NAMES[number % len(NAMES)]
    spoilt = rng.randint(0, n_asked(name, rankers))
    one = conversation(name, rankers)
    with HostileServer(one.sound, rng, spoilt) as server, in_time(MAX_S), writes_only(place):
        _, error = outcome(lambda: one.act(server.url))
    print(name, f"answer {spoilt}", server.done[0], error, sep="\n")  # noqa: T201
    assert server.n_asked >= 1
    assert error is None or isinstance(error, one.error)
