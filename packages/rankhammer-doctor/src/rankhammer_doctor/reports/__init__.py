"""How findings are shown: text, JSON, and one HTML page."""
