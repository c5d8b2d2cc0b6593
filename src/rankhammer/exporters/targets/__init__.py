"""One file per target: the format in which a search engine loads a ranker."""
