"""A change of conf means what was meant before, or is refused with the key, in plain words, without a secret."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fuzzing.configurations import SECRET, laid_out, make_change
from fuzzing.outcomes import in_time, outcome, writes_only
from fuzzing.seeds import numbered, rng_of
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project

from rankhammer import credentials, spark
from rankhammer.config_loader import without_variables
from rankhammer.deploy import read_options
from rankhammer.errors import ConfigError
from rankhammer.fingerprints.handoffs import plain
from rankhammer.pipeline_registry import every_node
from rankhammer.runs.catalog_entries import require_entries
from rankhammer.runs.parameters import check_parameters
from rankhammer.yarn.settings import read_settings

if TYPE_CHECKING:
    from kedro.io import DataCatalog
    from kedro.pipeline import Pipeline

pytestmark = pytest.mark.filterwarnings("ignore:Accessing the 'model_fields':DeprecationWarning")
"""Kedro's own way to look at models."""

ROOT = Path(__file__).parents[2]
MAX_S = 30.0


@cache
def whole_pipeline() -> Pipeline:
    return every_node()


@pytest.fixture(autouse=True)
def _as_before():
    """A context sets where Spark's settings and secrets come from; the next test begins as this one did."""
    before = (spark.session_provider._settings, spark.session_provider._complete, spark.session_provider._ready)
    yield
    spark.configure(*before)
    credentials.configure(dict)


def meaning(conf: Path) -> dict[str, Any]:
    """Read and check all of conf, as the commands that use it do; return what it says as plain values."""
    bootstrap_project(ROOT)
    with KedroSession.create(project_path=ROOT, conf_source=str(conf), env="local", save_on_close=False) as session:
        context = session.load_context()
        loader, catalog = context.config_loader, context.catalog
        require_entries(whole_pipeline(), catalog)
        given = without_variables(loader["parameters"], loader.variables)
        checked = check_parameters(given, whole_pipeline(), known=whole_pipeline().inputs())
        return {
            "parameters": plain(checked),
            "catalog": _described(catalog),
            "spark": spark.effective_settings(loader["spark"], submitted=False),
            "cluster": plain(read_settings(loader["cluster"])),
            "deploy": plain(read_options(loader["deploy"])),
            "login": credentials.login("search").headers(),
        }


def _described(catalog: DataCatalog) -> dict[str, str]:
    """Make each dataset of the whole line; return what it says of itself, and its kind."""
    names = sorted({*whole_pipeline().datasets(), "run_summary", "run_history"})
    found = {name: catalog.get(name) for name in names if not name.startswith(("params:", "parameters"))}
    return {name: "" if one is None else f"{type(one).__name__} {one._describe()}" for name, one in found.items()}


@numbered(90)
def test_a_change_of_conf_means_the_same_or_is_refused_by_its_key(place, tmp_path_factory, number):
    change = make_change(rng_of("configurations", number), number)
    print(change.file, change.what, sep=": ")  # noqa: T201
    before = _base(tmp_path_factory)
    conf = laid_out(change, place / "conf")
    with in_time(MAX_S), writes_only(place):
        found, error = outcome(lambda: meaning(conf))
    if error is None:
        is_same = change.may_differ or found == before
        assert is_same, _difference(before, found)
        return
    assert isinstance(error, ConfigError), repr(error)
    assert any(key in str(error) for key in change.keys), f"{error} names none of {change.keys}"
    assert SECRET not in str(error)


_KNOWN: list[dict[str, Any]] = []


def _base(factory: pytest.TempPathFactory) -> dict[str, Any]:
    if not _KNOWN:
        _KNOWN.append(meaning(laid_out(None, factory.mktemp("base") / "conf")))
    return _KNOWN[0]


def _difference(before: dict[str, Any], found: dict[str, Any] | None) -> str:
    pairs = {f"{part}.{key}": value for part in before for key, value in before[part].items()}
    now = {f"{part}.{key}": value for part in found or {} for key, value in found[part].items()}
    changed = [name for name in {**pairs, **now} if pairs.get(name) != now.get(name)]
    listed = "; ".join(f"{name} was {pairs.get(name)!r}, is {now.get(name)!r}"[:400] for name in changed)
    return f"accepted, and means something else: {listed}"
