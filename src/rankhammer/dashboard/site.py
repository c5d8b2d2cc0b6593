"""All that requests need: results, who may see them, and how a page is put together."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard import page_list
from rankhammer.dashboard.access import AttemptLimit
from rankhammer.dashboard.rendering import HERE, render

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from starlette.requests import Request
    from starlette.responses import Response

    from rankhammer.dashboard.access import Access
    from rankhammer.dashboard.declared import DeclaredPage
    from rankhammer.dashboard.headers import Binding
    from rankhammer.dashboard.results import Results
    from rankhammer.dashboard.tables import Tables

COOKIE = "rankhammer_session"
_KINDS = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".LICENSE": "text/plain"}


@dataclass
class Site:
    """All that requests need.

    Args:
        results: Of an environment.
        tables: To ask.
        access: Who may see them.
        binding: Where it listens.
        environment: Name of the environment, for the pages.
        source: What results are copied from, and None where they are read where they are.
        copied: Says how long ago they were copied.
        declared: Name to a table that a job of the project's own writes.
        limit: Of wrong tokens.
    """

    results: Results
    tables: Tables
    access: Access
    binding: Binding
    environment: str = ""
    source: str | None = None
    copied: Callable[[], str] | None = None
    declared: Mapping[str, DeclaredPage] = field(default_factory=dict)
    limit: AttemptLimit = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        """Read the files that pages load, once: no path of an address is ever opened."""
        self.limit = self.limit or AttemptLimit()
        self.static = {path.name: (path.read_bytes(), _kind(path)) for path in sorted((HERE / "static").iterdir())}

    def page(self, template: str, request: Request, status: int = 200, /, **values: Any) -> Response:
        """Answer with a page."""
        from starlette.responses import HTMLResponse

        about = {"environment": self.environment, "signed_in": self.is_signed_in(request), "is_file": False}
        about |= {"has_declared": bool(self.declared)}
        about |= {"copied": self.copied() if self.copied else "", "source": self.source}
        defaults: dict[str, Any] = {"here": "", "run": None, "tabs": page_list.TABS.items()}
        return HTMLResponse(render(template, **{**defaults, **about, **values}), status)

    def is_signed_in(self, request: Request) -> bool:
        """Say whether a request comes with a session of ours."""
        return self.access.is_session(request.cookies.get(COOKIE, ""), time.time())


def _kind(path: Path) -> str:
    return f"{_KINDS.get(path.suffix, 'application/octet-stream')}; charset=utf-8"
