"""HTTP with a deadline for the whole exchange and a cap on answers."""
