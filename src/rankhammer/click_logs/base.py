"""What every click-log reader offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pyspark.sql import DataFrame


class ClickLog(Protocol):
    """A reader of one log format. It reshapes rows; it never drops one."""

    Options: ClassVar[type[BaseModel]]

    def __init__(self, options: BaseModel) -> None: ...

    def to_serps(self, raw: DataFrame) -> DataFrame:
        """Reshape a raw log into result pages.

        Args:
            raw: The log as the catalog's dataset loaded it.

        Returns:
            `schemas.RAW_SERPS`: one row a result page, `fault` naming why a row cannot be used, else null. A string
            column `note` may stand beside them: remarks on rows that are used all the same, which the report counts.

        Raises:
            SchemaError: A column that this format needs is missing or has another type.
        """
        ...
