"""Click logs: readers of several formats, and the checks that every log passes before anything is written.

A reader (`rankhammer plugins` lists them) reshapes a raw log into result pages and marks the faulty ones;
`take_in` then sets those aside, drops robots, and says which corpora cannot be used.
"""

from rankhammer.click_logs.checks import CorpusCounts, Intake, take_in
from rankhammer.click_logs.facts import PositionRate, click_through_by_position, corpus_facts

__all__ = ["CorpusCounts", "Intake", "PositionRate", "click_through_by_position", "corpus_facts", "take_in"]
