"""Reads Spark configurations and event logs without a JVM, and says what to change."""

__version__ = "0.1.0"
