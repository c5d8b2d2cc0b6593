"""The pages of one run: their names in addresses, and what makes their content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.pages import click_model, cost, features, queries, run, sweep, trials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.dashboard.results import Results
    from rankhammer.dashboard.tables import Tables

TABS = {
    "run": "Result",
    "trials": "Trials",
    "click_model": "Click model",
    "features": "Features",
    "queries": "Winners and losers",
    "sweep": "Capacity",
    "cost": "Cost",
}
"""Page to its name, in the order of the tabs."""
QUERY = "query"
NAMES = (*TABS, QUERY)


def content(name: str, results: Results, tables: Tables, number: int, given: Mapping[str, str]) -> dict[str, Any]:
    """Make what stands on a page of a run.

    Args:
        name: One of `NAMES`.
        results: Of an environment.
        tables: To ask.
        number: The run's in the history, which has a sound record of it.
        given: Values of the address.
    """
    match name:
        case "trials":
            return trials.view(results, tables, number)
        case "click_model":
            return click_model.view(results, number)
        case "features":
            return features.view(results, number)
        case "queries":
            return queries.view(results, tables, number, given)
        case "query":
            return queries.explain(results, tables, number, given)
        case "sweep":
            return sweep.of_run(results.report("learning_curves", number))
        case "cost":
            return cost.of_run(results.record(number))
        case _:
            return run.view(results.record(number))


def heading(name: str, number: int, given: Mapping[str, str]) -> str:
    """Return a page's title."""
    if name == QUERY:
        return given.get("query", "")[:200] or "No query"
    return f"Run {number}" if name == "run" else f"{TABS[name]}, run {number}"
