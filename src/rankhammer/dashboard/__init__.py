"""Pages that show what runs have found, in a browser: read-only, one small server without Spark and without Kedro.

`access` and `headers` decide who sees a page, `results` and `tables` read what runs have written, `pages` says what
stands on a page, `app` serves it, and `self_contained` puts the pages of one run into one file.
"""
