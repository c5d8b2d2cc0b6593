"""The experiment report: what experiments have logged, as a plot."""
