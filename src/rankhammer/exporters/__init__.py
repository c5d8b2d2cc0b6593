"""Exporters: a trained ranker in the format of a search engine, with proof that it scores as the booster does."""

from rankhammer.exporters.base import Exporter, HasRoundingLimits, Traceable, TrainedRanker
from rankhammer.exporters.parts import Part, Step, Term, TreePath

__all__ = ["Exporter", "HasRoundingLimits", "Part", "Step", "Term", "Traceable", "TrainedRanker", "TreePath"]
