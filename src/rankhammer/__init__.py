"""Rankhammer: from a search click log to a ranker that the search engine loads."""

__version__ = "0.1.0"
