"""What a feature set looks like to each engine."""
