"""ranker_report."""
