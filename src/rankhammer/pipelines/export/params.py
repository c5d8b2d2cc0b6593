"""Parameters of the export stage; conf/base/parameters/export.yml holds the values."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from rankhammer import corpora, plugins
from rankhammer.deploy.engine_gate import EngineGate, engine_gate
from rankhammer.errors import ConfigError
from rankhammer.pipelines.params import StageParams
from rankhammer.plugins import PluginSpec  # noqa: TC001 - pydantic resolves it at run time


def _accepted(value: object) -> object:
    """Read true, false, a list of names, or a text with commas between them."""
    return tuple(corpora.named(value) or ()) if isinstance(value, str | list | tuple) else value


def _promoted(value: object) -> object:
    """Read automatic, by_hand, a list of names, or a text with commas between them."""
    return value if value in ("automatic", "by_hand") else _accepted(value)


class ExportParams(StageParams):
    """Which engines rankers are written for, and how closely an export is checked."""

    targets: tuple[PluginSpec, ...] = Field(
        min_length=1, description="exporters (`rankhammer plugins`) with their options"
    )
    tolerance: float = Field(gt=0, le=0.01, description="largest difference between a booster's score and its export's")
    n_vectors: int = Field(ge=1, le=100_000, description="logged vectors to compare at most, evenly spread")
    n_ties: int = Field(ge=0, le=100_000, description="splits to try on and just below their threshold at most")
    accept_worse: Annotated[bool | tuple[str, ...], BeforeValidator(_accepted)] = Field(
        description="corpora whose ranker becomes current even where it is worse; true: all"
    )
    promotion: Annotated[Literal["automatic", "by_hand"] | tuple[str, ...], BeforeValidator(_promoted)] = Field(
        "automatic",
        description="automatic: a ranker becomes current by its export; by_hand, or for the corpora named here: by "
        "`rankhammer promote`",
    )
    engine: PluginSpec | None = Field(description="engine that has to score logged pairs right: its name and options")

    @field_validator("targets")
    @classmethod
    def _can_be_made(cls, targets: tuple[PluginSpec, ...]) -> tuple[PluginSpec, ...]:
        """A mistyped exporter or option must stop the run before any node; two targets need two folders."""
        folders = Counter(plugins.create("exporters", choice).target for choice in targets)
        twice = [folder for folder, count in folders.items() if count > 1]
        if twice:
            raise ConfigError(
                f"export.targets names target {twice[0]!r} twice.",
                hint="Remove one, or change its version.",
                target=twice[0],
            )
        return targets

    @model_validator(mode="after")
    def _engine_has_a_target(self) -> Self:
        """An engine that no target is for would prove nothing."""
        gate = self.gate()
        if gate and not any(choice.name == gate.target.exporter for choice in self.targets):
            raise ConfigError(
                f"export.engine is {gate.target.engine}, but no target is {gate.target.exporter}.",
                hint=f"Add {gate.target.exporter} to export.targets, or set export.engine: null.",
            )
        return self

    def is_by_hand(self, corpus: str) -> bool:
        """Say whether a corpus's ranker becomes current by `rankhammer promote` alone."""
        return self.promotion == "by_hand" or (self.promotion != "automatic" and corpus in self.promotion)

    def gate(self) -> EngineGate | None:
        """Return what asks the engine; None where none is to be asked."""
        return engine_gate(self.engine.name, self.engine.options) if self.engine else None
