"""Adds what training has found to the run that kedro-mlflow records: metrics, plots, and the ranker of each corpus."""

from __future__ import annotations

import logging
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.framework.hooks import hook_impl

from rankhammer.corpora import folder_of
from rankhammer.evaluation.promotion import CHAMPION
from rankhammer.runs.champion_facts import CURRENT_COMPARISON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

RANKER, REPORT = "ranker", "training_report"
RANKERS, PLOTS = "rankers", "plots"
"""Folders of the artifacts."""
PLUGIN = "kedro_mlflow"
"""Without this package there is no such hook: see `settings`."""
_OTHER_SIGNS = re.compile(r"%(?=[0-9A-F]{2})|([^\w.\- ])")
logger = logging.getLogger(__name__)


class MlflowHook:
    """Logs to the run that kedro-mlflow has begun; where it has begun none, nothing."""

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, data: Any) -> None:
        """Log a plot, the rankers, or the metrics of the training report, as soon as a node has made them."""
        import mlflow

        if mlflow.active_run() is not None:
            with _goes_on_without(dataset_name):
                _log(dataset_name, data)


def metrics_of(report: Mapping[str, Any]) -> dict[str, float]:
    """Return what was measured under names that MLflow takes.

    Args:
        report: The training stage's.

    Returns:
        "<corpus>/<truth>/<metric>/<system>" to its mean; of the headline metric also "<corpus>/<metric>/<system>" and
        "<corpus>/<metric>/ranker_minus_<other>", with "_lower" and "_upper" behind them for the ends of the intervals;
        and "<corpus>/n_test_queries". What has no value is left out; a metric's "@" is "_at_".
    """
    found: dict[str, float | None] = {}
    headline = report["metric"]
    for corpus, facts in report["corpora"].items():
        place = named(corpus)
        found |= {
            f"{place}/{truth}/{_metric(metric)}/{system}": one["mean"]
            for truth, metrics in facts.get("metrics", {}).items()
            for metric, systems in metrics.items()
            for system, one in systems.items()
        }
        found |= _with_ends(place, headline, {**facts.get(headline, {}), **_differences(facts)})
        found[f"{place}/n_test_queries"] = facts.get("n_test_queries")
    return {name: float(value) for name, value in found.items() if value is not None}


def champion_metrics_of(comparison: Mapping[str, Any]) -> dict[str, float]:
    """Return what was measured of the rankers that are current until now, under the same names as `metrics_of`.

    Args:
        comparison: What the node `compare_with_current` has found.
    """
    found: dict[str, float | None] = {}
    headline = comparison["metric"]
    for corpus, facts in comparison["corpora"].items():
        if "difference" in facts:
            orders = {CHAMPION: facts[headline], f"{RANKER}_minus_{CHAMPION}": facts["difference"]}
            found |= _with_ends(named(corpus), headline, orders)
    return {name: float(value) for name, value in found.items() if value is not None}


def tags_of(report: Mapping[str, Any]) -> dict[str, str]:
    """Return each corpus's verdict, the ranker that was chosen, and whose grades count, as tags "<what>.<corpus>"."""
    kinds = {"verdict": "verdict", "ranker": "ranker", "truth": "truth"}
    return {
        f"{tag}.{named(corpus)}": str(facts[name])
        for corpus, facts in report["corpora"].items()
        for tag, name in kinds.items()
        if facts.get(name) is not None
    }


def named(corpus: str) -> str:
    """Return a corpus's name as MLflow takes it: that of its folder, with ":" and two digits a byte for other signs."""
    return _OTHER_SIGNS.sub(lambda found: _escaped(found[1]) if found[1] else ":", folder_of(corpus))


def _escaped(sign: str) -> str:
    return "".join(f":{byte:02X}" for byte in sign.encode())


def _log(name: str, data: Any) -> None:
    log = _LOGS.get(name) or (_log_plot if _is_plot(data) else None)
    if log is not None:
        log(name, data)


def _log_report(name: str, data: Any) -> None:
    import mlflow

    mlflow.log_metrics(metrics_of(data))
    mlflow.set_tags(tags_of(data))
    mlflow.log_dict(data, f"{name}.json")


def _log_comparison(name: str, data: Any) -> None:  # noqa: ARG001 - as the others
    import mlflow

    mlflow.log_metrics(champion_metrics_of(data))


def _log_plot(name: str, data: Any) -> None:
    import mlflow

    mlflow.log_figure(data, f"{PLOTS}/{name}.html")


def _with_ends(place: str, headline: str, orders: Mapping[str, Mapping[str, Any]]) -> dict[str, float | None]:
    return {
        f"{place}/{_metric(headline)}/{order}{end}": one[name]
        for order, one in orders.items()
        for end, name in (("", "mean"), ("_lower", "lower"), ("_upper", "upper"))
    }


def _differences(facts: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {name.replace(" - ", "_minus_"): one for name, one in facts.get("differences", {}).items()}


def _metric(name: str) -> str:
    return name.replace("@", "_at_")


def _is_plot(data: Any) -> bool:
    return type(data).__module__.startswith("plotly.")


def _log_rankers(name: str, data: Mapping[str, bytes]) -> None:  # noqa: ARG001 - as the others
    import mlflow

    with tempfile.TemporaryDirectory(prefix="rankhammer-mlflow-") as made:
        for file, content in data.items():
            path = Path(made, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        mlflow.log_artifacts(made, RANKERS)


_LOGS: Mapping[str, Callable[[str, Any], None]] = {
    RANKER: _log_rankers,
    REPORT: _log_report,
    CURRENT_COMPARISON: _log_comparison,
}


@contextmanager
def _goes_on_without(dataset_name: str) -> Iterator[None]:
    """Let a run go on whose store has failed: what it was to record stands in the project's own files."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except (MlflowException, OSError) as exc:
        logger.warning("MLflow did not take %s: %s", dataset_name, exc)
