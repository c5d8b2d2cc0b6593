"""A Kedro session whose context is made once, as a command asks for it several times."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from kedro.framework.session import KedroSession

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext


class ProjectSession(KedroSession):
    """Reads the configuration and checks the parameters once, however often its context is loaded."""

    def load_context(self) -> KedroContext:
        """Return the context, which is made when it is asked for first."""
        return self._context

    def read(self, kind: str) -> dict[str, Any]:
        """Return the configuration of a kind, such as "cluster", before there is a context.

        Raises:
            ConfigError: See `ConfigLoader`.
        """
        found: dict[str, Any] = self._get_config_loader()[kind]
        return found

    @cached_property
    def _context(self) -> KedroContext:
        return super().load_context()
