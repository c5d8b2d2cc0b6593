"""Tuning: the search for a ranker's parameters, and the final fits, as Spark tasks."""
