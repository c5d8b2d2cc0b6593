"""Files on any Hadoop filesystem, and what is built on them: publication, append-only logs, locks."""
