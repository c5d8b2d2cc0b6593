"""click logs."""
