"""Rankers: learning-to-rank algorithms behind one small protocol."""

from rankhammer.rankers.base import FitSettings, FittedRanker, Ranker, RankingData

__all__ = ["FitSettings", "FittedRanker", "Ranker", "RankingData"]
