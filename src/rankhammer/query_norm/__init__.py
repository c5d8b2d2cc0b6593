"""query norm."""
