"""Hand-offs as tables of SQL: on a laptop, and in catalogs that other tools ask."""
