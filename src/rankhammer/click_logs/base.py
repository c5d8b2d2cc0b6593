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
            `schemas.RAW_SERPS`: one row a result page, `fault` naming why a row cannot be used, else null. Two columns
            may stand beside them: `note` (string), remarks on rows that are used anyway, and `tally`, counts of
            what stands behind a row (`faults.tally`); a row with the fault `faults.NOT_A_PAGE` holds only these. So may
            `visitors.VISITOR_COLUMNS`, of which nothing is written.

        Raises:
            SchemaError: A column that this format needs is missing or has another type.
        """
        ...
