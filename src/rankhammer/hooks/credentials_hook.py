"""Says where secrets come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kedro.config import MissingConfigException
from kedro.framework.hooks import hook_impl

from rankhammer import credentials

if TYPE_CHECKING:
    from kedro.framework.context import KedroContext


class CredentialsHook:
    """Reads nothing: credentials.yml is opened when a plugin asks for an entry of it."""

    @hook_impl
    def after_context_created(self, context: KedroContext) -> None:
        """Let plugins look entries of conf/<env>/credentials.yml up by name."""
        credentials.configure(lambda: _entries(context))


def _entries(context: KedroContext) -> dict[str, Any]:
    try:
        return dict(context.config_loader["credentials"])
    except MissingConfigException:
        return {}
