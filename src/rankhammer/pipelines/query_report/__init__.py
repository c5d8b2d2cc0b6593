"""query_report."""
