"""Requests as values: what is sent is what a dry run prints."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rankhammer.search_engines.answer import Response
    from rankhammer.search_engines.client import Client

_SHOWN = 4000


@dataclass(frozen=True)
class EngineRequest:
    """One request to a cluster.

    Args:
        method: GET, HEAD, POST, PUT or DELETE.
        path: From the first slash on.
        body: JSON-able; None for none.
        note: Why, or when, in a few words.
        allowed: Statuses from 400 on that are answers.
    """

    method: str
    path: str
    body: Any = None
    note: str = ""
    allowed: tuple[int, ...] = ()

    def send(self, client: Client) -> Response:
        """Ask a cluster.

        Raises:
            EngineError: It refuses, or is not there.
        """
        return client.ask(self.method, self.path, self.body, allowed=self.allowed)

    def __str__(self) -> str:
        first = f"{self.method} {self.path}" + (f"   # {self.note}" if self.note else "")
        if self.body is None:
            return first
        text = json.dumps(self.body, indent=2)
        return f"{first}\n{text if len(text) <= _SHOWN else f'({len(json.dumps(self.body)):,} bytes of JSON)'}"
