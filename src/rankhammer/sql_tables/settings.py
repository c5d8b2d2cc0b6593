"""The content of conf/<env>/tables.yml: where tables are announced, and tables that a project's own jobs write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from rankhammer.errors import ConfigError, did_you_mean
from rankhammer.strict_model import StrictModel
from rankhammer.validation_text import describe_fault, hint_for

if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = r"^[a-z][a-z0-9_]{0,127}$"
_TYPES = ("string", "boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "date", "timestamp")
_DECIMAL = re.compile(r"decimal\(\d{1,2},\d{1,2}\)")
_PLOTTED = ("tinyint", "smallint", "int", "bigint", "float", "double")


class PlotSettings(StrictModel):
    """A plot of a table's rows."""

    x: str = Field(description="column of the horizontal axis, a number")
    y: str = Field(description="column of the vertical axis, a number")
    by: str | None = Field(None, description="column with a line for each of its values; null: one line")
    x_label: str | None = Field(None, max_length=80, description="of the axis, with its unit; null: the column's name")
    y_label: str | None = Field(None, max_length=80, description="of the axis, with its unit; null: the column's name")
    title: str | None = Field(None, max_length=120, description="of the plot; null: the table's")


class DeclaredTable(StrictModel):
    """A table that a job of your own writes, as Parquet files in one folder."""

    path: str = Field(min_length=1, description="its folder; Spark writes `_SUCCESS` there as the last thing")
    columns: dict[str, str] = Field(min_length=1, max_length=200, description="column to its type, in order")
    title: str | None = Field(None, max_length=120, description="of its page; null: its name")
    order_by: tuple[str, ...] = Field((), description="columns by which rows are shown, the first ones first")
    plot: PlotSettings | None = Field(None, description="what its page draws above the rows; null: nothing")
    queries: dict[str, str] = Field({}, description="name to SQL of Athena, kept with the tables")

    @model_validator(mode="after")
    def _has_columns(self) -> DeclaredTable:
        for name, kind in self.columns.items():
            if not re.fullmatch(NAME, name):
                raise ValueError(f"{name!r} cannot be a column here: lower-case letters, digits and _")
            if kind not in _TYPES and not _DECIMAL.fullmatch(kind):
                raise ValueError(f"{name} has no type {kind!r}. {did_you_mean(kind, _TYPES)}")
        plot = self.plot
        named = [*self.order_by, *((plot.x, plot.y, *([plot.by] if plot.by else [])) if plot else ())]
        missing = [name for name in named if name not in self.columns]
        if missing:
            raise ValueError(f"there is no column {missing[0]!r}. {did_you_mean(missing[0], self.columns)}")
        for name in (plot.x, plot.y) if plot else ():
            if self.columns[name] not in _PLOTTED:
                raise ValueError(f"{name} is no number ({self.columns[name]}), and cannot be an axis")
        return self


class TablesSettings(StrictModel):
    """Everything about tables."""

    database: str = Field("rankhammer", pattern=NAME, description="database of Glue; each environment has its own")
    workgroup: str = Field("primary", pattern=r"^[A-Za-z0-9._-]{1,128}$", description="of Athena, for kept queries")
    declared: dict[str, DeclaredTable] = Field({}, max_length=100, description="name to a table of a job of your own")

    @field_validator("declared")
    @classmethod
    def _can_be_named(cls, declared: dict[str, DeclaredTable]) -> dict[str, DeclaredTable]:
        wrong = [name for name in declared if not re.fullmatch(NAME, name)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} cannot be a table: lower-case letters, digits and _")
        return declared


def read_settings(values: Mapping[str, Any]) -> TablesSettings:
    """Check what tables.yml says.

    Args:
        values: Its content.

    Raises:
        ConfigError: A key is unknown, or a value is not of its kind.
    """
    try:
        return TablesSettings.model_validate(dict(values))
    except ValidationError as exc:
        hint = f"{hint_for(exc, TablesSettings)} docs/tables.md has an example.".strip()
        raise ConfigError(f"conf/<env>/tables.yml: {describe_fault(exc)}.", hint=hint) from None
