"""click models."""
