"""What axe finds on a page that a browser shows."""

from __future__ import annotations

from importlib import resources
from typing import Any

_RUN = """rules => axe.run(document, rules ? {runOnly: {type: 'rule', values: rules}} : {})
    .then(found => found.violations.map(one => [one.id, one.nodes.map(node => node.html).join(' | ')]))"""


def add_axe(context: Any) -> None:
    """Let every page of a browser's context have axe: the page's own policy does not hold for what the browser adds."""
    context.add_init_script((resources.files("axe_playwright_python") / "axe.min.js").read_text())


def violations(page: Any, *rules: str) -> list[str]:
    """Return what axe calls a fault of a page, by all rules or by some."""
    return [f"{rule}: {where[:300]}" for rule, where in page.evaluate(_RUN, list(rules) or None)]
