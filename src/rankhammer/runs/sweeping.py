"""Sweeps as a command runs them, and where their results are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer import spark
from rankhammer.canonical_json import to_json
from rankhammer.dashboard.results import MODEL_SWEEPS
from rankhammer.errors import ConfigError, did_you_mean
from rankhammer.runs.dashboard_places import result_places
from rankhammer.runs.execute import session_of_run
from rankhammer.storage import state_files
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rankhammer.sweeps.perceptrons import SweepSettings
    from rankhammer.sweeps.sized_rankers import RankerSweepSettings


def toy_sweep(env: str | None, n_points: int, settings: SweepSettings, jitter: float) -> tuple[dict[str, Any], str]:
    """Train perceptrons of several sizes on the toy's points, and keep what they reach.

    Args:
        env: Kedro environment, whose Spark trains them; None for the default one.
        n_points: Of the toy.
        settings: What is trained.
        jitter: See `sweeps.toy.make_points`.

    Returns:
        What was found, and the file that holds it, which the dashboard shows.
    """
    from rankhammer.evaluation.bootstrap import Bootstrap
    from rankhammer.sweeps.perceptrons import sweep
    from rankhammer.sweeps.toy import make_points

    path = result_places(env).places[MODEL_SWEEPS]
    points = make_points(n_points, seed=settings.seed, jitter=jitter)
    found = sweep(spark.session(), points, settings, Bootstrap(random_state=settings.seed))
    _keep(path, "three classes in a plane", found)
    return found, path


def ranker_sweep(
    env: str | None, settings: RankerSweepSettings, *, run: str | None, corpora: Sequence[str]
) -> tuple[dict[str, dict[str, Any]], str]:
    """Train rankers of several sizes on a run's training matrix, and keep what they reach.

    Args:
        env: Kedro environment, whose Spark trains them; None for the default one.
        settings: What is trained.
        run: Id of the run, where runs have ids; None for the newest that has a training matrix.
        corpora: Those that are swept; none: all.

    Returns:
        Corpus to what was found, and the file that holds it, which the dashboard shows.

    Raises:
        ConfigError: A corpus, a feature or a parameter is not known.
        DataError: There is no training matrix, or no size could be measured.
    """
    from rankhammer.evaluation.bootstrap import Bootstrap
    from rankhammer.sweeps.sized_rankers import feature_names, require_known, sweep_rankers
    from rankhammer.training.staging import stage_matrix

    path = result_places(env).places[MODEL_SWEEPS]
    session = session_of_run(env, run, lambda: ["training_matrix"])
    with session:
        context = session.load_context()
        matrix = context.catalog.load("training_matrix")
        staged = stage_matrix(matrix)
        _require_corpora(corpora, staged)
        chosen = {name: one for name, one in staged.items() if not corpora or name in corpora}
        for one in chosen.values():
            require_known(settings.features, feature_names(one))
        seed = int(context.config_loader["globals"]["random_state"])
        found = sweep_rankers(spark.session().sparkContext, chosen, settings, Bootstrap(random_state=seed))
    for name, of in found.items():
        _keep(path, f"{name}: {of['family']}", of)
    return found, path


def _require_corpora(wanted: Sequence[str], known: Mapping[str, Any]) -> None:
    for name in wanted:
        if name not in known:
            raise ConfigError(f"The training matrix has no corpus {name!r}.", hint=did_you_mean(name, known))


def _keep(path: str, name: str, found: dict[str, Any]) -> None:
    """Add a sweep to the file, or replace the one of its name."""
    storage = storage_for(path)
    known = state_files.read(storage, path, instead="it is written again") or {}
    storage.write(path, to_json({"format": 1, "sweeps": {**known.get("sweeps", {}), name: found}}, indent=None))
