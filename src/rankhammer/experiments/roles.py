"""What an experiment is made of: a function, and roles with the resources that each of their instances gets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from rankhammer.errors import ConfigError
from rankhammer.secret_settings import require_no_secrets
from rankhammer.strict_model import StrictModel
from rankhammer.validation_text import describe_fault, hint_for
from rankhammer.yarn.extras import require_known

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

CHIEF, EVALUATOR = "chief", "evaluator"
HEAP_MB = 512
"""Heap of the executor around an instance: it starts the instance's process, and holds no data."""
_FUNCTION = re.compile(r"(?:[^\W\d]\w*(?:\.[^\W\d]\w*)*|(?:.*/)?[\w.-]+\.py):[^\W\d]\w*")
_FILE = re.compile(r"\w[\w.-]*")
_OF_CONTAINERS = frozenset({"app", "conf", "env", "java", "project", "work"})
"""Names in a container's folder that are taken."""
_ROLE = r"^[a-z][a-z0-9_-]{0,39}$"
_VARIABLE = re.compile(r"^[A-Za-z_][A-Za-z0-9_]*$")


class Role(StrictModel):
    """One kind of instance of an experiment."""

    memory_mb: int = Field(1024, ge=HEAP_MB + 384, le=4_000_000, description="container of an instance, all of it")
    vcores: int = Field(1, ge=1, le=512, description="cores of an instance")
    instances: int = Field(1, ge=1, le=10_000, description="instances that start together")
    gpus: int = Field(0, ge=0, le=64, description="GPUs of an instance, as YARN's resource type yarn.io/gpu")
    label: str | None = Field(None, min_length=1, description="node label; null: nodes without one")
    queue: str | None = Field(None, min_length=1, description="YARN queue; null: the experiment's")
    environment: str = Field("cpu", pattern="^(cpu|gpu)$", description="which of the pip_packages it gets")
    beside: bool | None = Field(None, description="runs beside training, and starts again alone; null: an evaluator")


class Experiment(StrictModel):
    """A function that runs in several roles at once."""

    function: str = Field(description="package.module:function, or file.py:function")
    roles: dict[str, Role] = Field(default_factory=lambda: {CHIEF: Role()}, min_length=1, description="by name")
    files: dict[str, str] = Field(default_factory=dict, description="name in the container's folder: file here")
    extras: tuple[str, ...] = Field((), description="extras of this project that every role gets, as neural")
    pip_packages: tuple[str, ...] = Field((), description="packages beside those of the project, for every role")
    pip_packages_gpu: tuple[str, ...] = Field((), description="packages that roles with environment: gpu get as well")
    name_nodes: tuple[str, ...] = Field((), description="further filesystems that need a token, as hdfs://other:8020")
    queue: str | None = Field(None, min_length=1, description="YARN queue; null: the cluster's default")
    viewers: tuple[str, ...] = Field((), description="users who may see logs and pages; none but the submitter")
    env: dict[str, str] = Field(default_factory=dict, description="environment variables of every instance")
    before: str | None = Field(None, description="function that each instance calls first, with its context")
    arguments: dict[str, Any] = Field(default_factory=dict, description="what the context holds for the function")
    retries: int = Field(0, ge=0, le=100, description="times that the whole is started again, from its checkpoints")
    time_limit_s: float = Field(86_400, gt=0, le=31_536_000, description="seconds after which all of it is ended")
    start_limit_s: float = Field(600, gt=0, le=86_400, description="seconds within which every instance has to start")
    silent_limit_s: float = Field(20, ge=5, le=3600, description="seconds without a sign after which one is lost")
    idle_limit_s: float = Field(1200, gt=0, le=86_400, description="an evaluator without a new checkpoint ends then")

    @model_validator(mode="before")
    @classmethod
    def _roles_may_say_nothing(cls, values: Any) -> Any:
        """Let a role be named alone, as in `chief:`."""
        roles = values.get("roles") if isinstance(values, dict) else None
        if not isinstance(roles, dict):
            return values
        return {**values, "roles": {name: {} if role is None else role for name, role in roles.items()}}

    @field_validator("arguments")
    @classmethod
    def _are_json(cls, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            json.dumps(arguments, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as exc:
            raise ValueError(f"they travel as JSON: {exc}") from exc
        return arguments

    @field_validator("roles")
    @classmethod
    def _names_are_plain(cls, roles: dict[str, Role]) -> dict[str, Role]:
        for name in roles:
            if not re.match(_ROLE, name):
                raise ValueError(f"{name!r} is no name of a role: small letters, digits, - and _")
        return roles

    @field_validator("function", "before")
    @classmethod
    def _is_function(cls, value: str | None) -> str | None:
        if value is not None and not _FUNCTION.fullmatch(value):
            raise ValueError(
                f"{value!r} is neither package.module:function nor file.py:function; a file's own name "
                "has letters, digits, . _ and -"
            )
        return value

    @field_validator("extras")
    @classmethod
    def _are_extras(cls, extras: tuple[str, ...]) -> tuple[str, ...]:
        require_known(extras)
        return tuple(sorted(set(extras)))

    @field_validator("env")
    @classmethod
    def _are_variables(cls, env: dict[str, str]) -> dict[str, str]:
        for name in env:
            if not _VARIABLE.match(name):
                raise ValueError(f"{name!r} is no name of an environment variable")
        return env

    @field_validator("files")
    @classmethod
    def _stay_in_the_folder(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            if not _FILE.fullmatch(name) or name.startswith("__"):
                raise ValueError(f"{name!r} is no plain file name for the container's folder: letters, digits, . _ -")
            if name in _OF_CONTAINERS:
                raise ValueError(f"{name!r} is taken in the container's folder")
        return files

    @model_validator(mode="after")
    def _somebody_trains(self) -> Self:
        if not self.training:
            raise ValueError("every role runs beside training: one has to train")
        return self

    @model_validator(mode="after")
    def _files_are_apart(self) -> Self:
        own = {name.rpartition(":")[0].rpartition("/")[2] for name in (self.function, self.before or "")}
        if taken := sorted(own & self.files.keys()):
            raise ValueError(f"{taken[0]!r} is the file of the function, and travels anyway")
        return self

    @property
    def training(self) -> dict[str, Role]:
        """Roles that train together, the one with rank 0 first: the chief, or whichever is named first."""
        found = {name: role for name, role in self.roles.items() if not is_beside(name, role)}
        return dict(sorted(found.items(), key=lambda item: item[0] != CHIEF))

    @property
    def beside(self) -> dict[str, Role]:
        """Roles that run beside training."""
        return {name: role for name, role in self.roles.items() if is_beside(name, role)}

    @property
    def world_size(self) -> int:
        """Instances that train together."""
        return sum(role.instances for role in self.training.values())

    def rank(self, name: str, index: int) -> int:
        """Return the rank of an instance among those that train, or its index where it runs beside them.

        Args:
            name: Of its role.
            index: Of the instance within its role, from 0.
        """
        if name in self.beside:
            return index
        names = list(self.training)
        return sum(self.roles[before].instances for before in names[: names.index(name)]) + index


def is_beside(name: str, role: Role) -> bool:
    """Say whether a role runs beside training."""
    return name == EVALUATOR if role.beside is None else role.beside


def read_experiment(values: Mapping[str, Any], where: str = "The experiment") -> Experiment:
    """Check what an experiment says.

    Args:
        values: As in conf/<env>/experiments.yml.
        where: What the message begins with.

    Raises:
        ConfigError: A key is unknown, or its value is not of its kind.
    """
    try:
        found = Experiment.model_validate(dict(values))
    except ValidationError as exc:
        hint = f"{hint_for(exc, Experiment)} docs/experiments.md lists every key.".strip()
        raise ConfigError(f"{where}: {describe_fault(exc)}.", hint=hint) from None
    # It would stand in a file of the experiment's folder.
    require_no_secrets(found.env, f"{where}, env")
    return found


def items_of(values: Mapping[str, Any], key: str, *, named: bool) -> Any:
    """Return what is configured under a key, before the command line adds to it; empty for nothing.

    Args:
        values: Of the experiment.
        key: Whose value it is.
        named: Whether they have names, as files, or stand in a list.

    Raises:
        ConfigError: It is not of this kind.
    """
    found = values.get(key)
    if found is None:
        return {} if named else []
    if not isinstance(found, dict if named else list | tuple):
        what = "keys with values, as in {key: value}" if named else "a list, as in [one, two]"
        hint = "docs/experiments.md lists every key."
        raise ConfigError(f"The experiment: {key} is a {type(found).__name__}, expected {what}.", hint=hint)
    return found


def _roles(values: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = items_of(values, "roles", named=True)
    return found


def with_roles(values: Mapping[str, Any], given: Sequence[str]) -> dict[str, Any]:
    """Put roles of the command line over those of an experiment.

    Args:
        values: Of the experiment.
        given: As `worker:instances=2,memory_mb=2048`, one a role.

    Raises:
        ConfigError: One is not of that form.
    """
    roles = {
        name: dict(items_of({f"roles.{name}": role}, f"roles.{name}", named=True))
        for name, role in _roles(values).items()
    }
    for text in given:
        name, _, pairs = text.partition(":")
        for pair in filter(None, pairs.split(",")):
            key, separator, value = pair.partition("=")
            if not separator:
                raise ConfigError(f"--role {text}: {pair!r} is no KEY=VALUE.", hint="As in worker:instances=2,vcores=4")
            roles.setdefault(name, {})[key.strip()] = value.strip()
        roles.setdefault(name, {})
    return {**values, **({"roles": roles} if roles else {})}
