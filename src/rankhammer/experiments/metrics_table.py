"""The metrics of an experiment: read from its folder, drawn, and written as TensorBoard's event files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.errors import ConfigError
from rankhammer.experiments.context import METRICS, METRICS_FILE
from rankhammer.experiments.folder import FILES, parse
from rankhammer.plot_style import themed

if TYPE_CHECKING:
    from pathlib import Path

    import plotly.graph_objects as go

    from rankhammer.experiments.folder import ExperimentFolder


def read_metrics(folder: ExperimentFolder) -> list[dict[str, Any]]:
    """Return what instances logged: instance, attempt, step, metric, value and time, in this order of sorting.

    A later attempt goes on from a checkpoint, and may log a step again: then the later attempt's value counts.
    """
    place = f"{folder.path}/{FILES}/{METRICS}"
    names = folder.storage.sizes(place) if folder.storage.exists(place) else {}
    kept = dict[tuple[str, str, int], dict[str, Any]]()
    for name in sorted(names):
        written = METRICS_FILE.fullmatch(name)
        if written is None:
            # An experiment may write what it likes beside them.
            continue
        instance, attempt = written["who"], int(written["attempt"])
        for line in folder.storage.read(f"{place}/{name}").splitlines():
            row = parse(f"{place}/{name}", line)
            kept[instance, row["metric"], row["step"]] = {"instance": instance, "attempt": attempt, **row}
    return [kept[key] for key in sorted(kept)]


def plot(found: list[dict[str, Any]], title: str) -> go.Figure:
    """Draw metrics over steps, a line for each metric of each instance.

    Args:
        found: From `read_metrics`.
        title: Of the plot.
    """
    import plotly.graph_objects as go

    figure = go.Figure()
    for instance, metric in dict.fromkeys((row["instance"], row["metric"]) for row in found):
        own = [row for row in found if (row["instance"], row["metric"]) == (instance, metric)]
        steps, values = [row["step"] for row in own], [row["value"] for row in own]
        figure.add_scatter(x=steps, y=values, mode="lines+markers", name=f"{metric} ({instance})")
    return themed(figure, title=title, legend="metric (instance)", x="step", y="value", showlegend=True)


def _unwritable(place: Path, error: OSError) -> ConfigError:
    return ConfigError(f"{place} cannot be written: {error.strerror}.", hint="Name another place.")


def write_tensorboard(found: list[dict[str, Any]], folder: Path) -> int:
    """Write metrics as event files, a folder for each instance.

    Args:
        found: From `read_metrics`.
        folder: Where they go.

    Returns:
        How many values were written.

    Raises:
        ConfigError: The extra `tensorboard` is not installed, or the folder cannot be made.
    """
    try:
        from tensorboardX import SummaryWriter
    except ImportError as exc:
        hint = "pip install 'rankhammer[tensorboard]'"
        raise ConfigError("TensorBoard's event files need the package tensorboardX.", hint=hint) from exc
    values = [row for row in found if row["value"] is not None]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise _unwritable(folder, exc) from exc
    for instance in dict.fromkeys(row["instance"] for row in values):
        with SummaryWriter(str(folder / instance)) as writer:
            for row in (row for row in values if row["instance"] == instance):
                writer.add_scalar(row["metric"], row["value"], row["step"], walltime=row["time"])
    return len(values)
