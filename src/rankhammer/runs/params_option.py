"""Options of commands that run or plan pipelines."""

from __future__ import annotations

from copy import copy
from typing import Any

import click

_CORPORA = "corpora"
PARAMS_HELP = (
    "Values for this run, as name=value,name=value: parameters (training.n_trials=50), places in conf (run=<id>), "
    "and corpora=shop_fr,shop_de, the only ones to work on."
)


def with_corpora(option: click.Parameter) -> click.Parameter:
    """Let Kedro's --params take several corpora; every other option is returned as it is.

    Args:
        option: One of `kedro run`.
    """
    if option.name != "params":
        return option
    ours = copy(option)
    ours.callback = read_params
    if isinstance(ours, click.Option):
        ours.help = PARAMS_HELP
    return ours


def read_params(context: click.Context, param: click.Parameter | None, value: Any) -> dict[str, Any]:
    """Read the text of --params, as a callback of that option or for it.

    Args:
        context: Ends the command where the text has another form.
        param: The option; Kedro names it in its messages.
        value: name=value,name=value, where the value of `corpora` may hold commas.
    """
    from kedro.framework.cli.utils import _split_params

    others, names = without_corpora(value) if isinstance(value, str) else (value, [])
    # Kedro's message names the option, also where it is read outside of a callback.
    found: dict[str, Any] = _split_params(context, param or click.Option(["--params"]), others)
    return {**found, _CORPORA: names} if names else found


def without_corpora(text: str) -> tuple[str, list[str]]:
    """Take `corpora=a,b` out of name=value,name=value; names stay texts, also 001.

    Args:
        text: As typed.

    Returns:
        What is left, and the names; none where there is no such item.
    """
    others, names, is_open = [], [], False
    for item in text.split(","):
        key, has_value, value = item.partition("=")
        is_open = key.strip() == _CORPORA if has_value else is_open
        if is_open:
            names.append((value if has_value else item).strip())
        else:
            others.append(item)
    return ",".join(others), names
