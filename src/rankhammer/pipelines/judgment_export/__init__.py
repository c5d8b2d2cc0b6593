"""judgment_export."""
