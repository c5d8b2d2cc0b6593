"""What the fuzz suite makes its cases of, and what it asks of each outcome."""
