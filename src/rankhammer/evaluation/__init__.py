"""Evaluation of rankings: metrics, bootstrap intervals, systems compared, and one search offline."""
