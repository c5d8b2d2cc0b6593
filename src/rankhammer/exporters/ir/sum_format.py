"""Several models in one file whose scores an engine adds up."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from rankhammer.exporters.targets.model_files import ParsedModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from rankhammer.exporters.ir.tree_scoring import Absent
    from rankhammer.exporters.parts import Part


class _Sum:
    """Adds up what several models in one file give."""

    def sums(
        self, parsed: ParsedModel, features: NDArray[np.float32], feature_names: tuple[str, ...]
    ) -> NDArray[np.float64]:
        """See `PartFormat`."""
        members: Sequence[ParsedModel] = parsed.parts
        found = np.stack([one.score(features, feature_names).astype(np.float32) for one in members])
        summed: NDArray[np.float64] = found.sum(axis=0, dtype=np.float32).astype(np.float64)
        return summed

    def trace(self, part: Any, values: Mapping[str, float], absent: Any) -> Part:
        """See `PartFormat`; `ParsedSum` asks its members."""
        raise NotImplementedError


@dataclass(frozen=True, eq=False)
class ParsedSum(ParsedModel):
    """Several models in one file, whose scores are added up; they are its parts."""

    def trace(self, values: Mapping[str, float]) -> list[Part]:
        """Say what each part of each of them adds."""
        return [part for one in self.parts for part in one.trace(values)]

    def under(self, rule: Absent) -> ParsedSum:
        """See `ParsedModel`: the network has one rule."""
        return replace(self, rule=rule, parts=[one.under(rule) for one in self.parts])


def parsed_sum(members: Sequence[ParsedModel]) -> ParsedSum:
    """Return several models of one file as one."""
    return ParsedSum(_Sum(), members[0].rule, sum(one.base for one in members), members)
