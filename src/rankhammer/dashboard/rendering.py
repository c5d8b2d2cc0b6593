"""Pages as HTML: templates that escape every value, and how numbers and times are written."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from rankhammer.dashboard.shapes import number, text
from rankhammer.plot_style import SYSTEMS

if TYPE_CHECKING:
    from collections.abc import Callable

    from jinja2 import Environment

HERE = Path(__file__).parent
MISSING = "-"
_THOUSAND = 1000


def short(value: object, digits: int = 3) -> str:
    """Write a number with three digits behind the point; large ones without."""
    found = number(value)
    if found is None:
        return MISSING
    if isinstance(found, int):
        return f"{found:,}"
    return (
        f"{found:,.0f}"
        if abs(found) >= _THOUSAND
        else f"{found:.{digits}g}"
        if abs(found) < 1e-3
        else f"{found:.{digits}f}"
    )


def plain(value: object) -> str:
    """Write a number as short as it is."""
    found = number(value)
    return MISSING if found is None else f"{found:g}"


def signed(value: object) -> str:
    """Write a difference with its sign."""
    found = number(value)
    return MISSING if found is None else f"{found:+.3f}"


def thousands(value: object) -> str:
    """Write a count with commas."""
    found = number(value)
    return MISSING if found is None else f"{found:,.0f}"


def minutes(value: object) -> str:
    """Write seconds as minutes."""
    found = number(value)
    return MISSING if found is None else f"{found / 60:.1f}"


def when(value: object) -> str:
    """Write a time in ISO 8601 to the minute; what is none stays as it is."""
    return text(value)[:16].replace("T", " ") or MISSING


def moment(value: object) -> str:
    """Write seconds since 1970 to the minute."""
    found = number(value)
    return MISSING if found is None else f"{datetime.fromtimestamp(found, UTC):%Y-%m-%d %H:%M}"


def query_link(run: int, corpus: str, query: str) -> str:
    """Return the address of a query's page."""
    return f"/runs/{run}/query?{urlencode({'corpus': corpus, 'query': query}, errors='replace')}"


@cache
def environment() -> Environment:
    """Return the templates; values in them are escaped, whatever they are."""
    from jinja2 import Environment, FileSystemLoader

    made = Environment(
        loader=FileSystemLoader(HERE / "templates"), autoescape=True, auto_reload=False, trim_blocks=True
    )
    filters: tuple[Callable[..., Any], ...] = (short, plain, signed, thousands, minutes, when, moment)
    made.filters.update({one.__name__: one for one in filters})
    made.globals.update(system_names={system: name for system, (name, _) in SYSTEMS.items()}, query_link=query_link)
    return made


def render(template: str, /, **values: Any) -> str:
    """Fill in a template; half of a character, which a log may hold, is shown as `?`."""
    return environment().get_template(template).render(**values).encode("utf-8", "replace").decode()
