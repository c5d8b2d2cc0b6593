"""Exporters: a trained ranker in the format of a search engine, with proof that it scores as the booster does."""

from rankhammer.exporters.base import Coarse, Explains, Exporter, Part, RankerFiles, Step, Term, TreePath

__all__ = ["Coarse", "Explains", "Exporter", "Part", "RankerFiles", "Step", "Term", "TreePath"]
