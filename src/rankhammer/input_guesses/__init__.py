"""Guesses about a user's own files: format, reader, columns and languages, written as configuration to start from."""
