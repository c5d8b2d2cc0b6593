"""Parameters of the judgment export; conf/base/parameters/judgment_export.yml holds the values."""

from __future__ import annotations

from collections import Counter

from pydantic import Field, field_validator

from rankhammer import plugins
from rankhammer.errors import ConfigError
from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import PluginSpec  # noqa: TC001 - pydantic resolves it at run time


class JudgmentExportParams(StageParams):
    """Which tools the graded judgments are written for."""

    targets: tuple[PluginSpec, ...] = Field(description="judgment exporters (`rankhammer plugins`) with their options")

    @field_validator("targets")
    @classmethod
    def _can_be_made(cls, targets: tuple[PluginSpec, ...]) -> tuple[PluginSpec, ...]:
        """A mistyped exporter or option must stop the run before any node; two targets need two folders."""
        folders = Counter(plugins.create("judgment_exporters", choice).target for choice in targets)
        twice = [folder for folder, count in folders.items() if count > 1]
        if twice:
            raise ConfigError(
                f"judgment_export.targets names target {twice[0]!r} twice.", hint="Remove one.", target=twice[0]
            )
        return targets
