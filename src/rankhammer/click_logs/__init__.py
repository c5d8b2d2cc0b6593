"""Click logs: readers of several formats, and the checks that every log passes before anything is written.

A reader (`rankhammer plugins` lists them) reshapes a raw log into result pages and marks the faulty ones;
`validate_log` then sets those aside, drops robots, and says which corpora cannot be used.
"""

from rankhammer.click_logs.checks import Bounds, ValidatedLog, VisitorOptions, validate_log
from rankhammer.click_logs.counts import CorpusCounts, PositionRate, click_through_by_position, corpus_facts
from rankhammer.click_logs.faults import PageLimits

__all__ = [
    "Bounds",
    "CorpusCounts",
    "PageLimits",
    "PositionRate",
    "ValidatedLog",
    "VisitorOptions",
    "click_through_by_position",
    "corpus_facts",
    "validate_log",
]
