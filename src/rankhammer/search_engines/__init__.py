"""Clients of real search engines."""
