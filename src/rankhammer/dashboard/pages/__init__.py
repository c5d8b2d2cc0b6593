"""What stands on each page, as plain values for its template: one module a page."""
