"""Analyzers: how texts become terms, by language, the same for documents, features and the normal form of queries."""

from rankhammer.analyzers.languages import ANALYZERS, AnalyzerName
from rankhammer.analyzers.tokens import Tokens, Words, analyze, analyze_words, split_words

__all__ = ["ANALYZERS", "AnalyzerName", "Tokens", "Words", "analyze", "analyze_words", "split_words"]
