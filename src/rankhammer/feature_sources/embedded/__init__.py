"""The embedded engine: an index of the documents and BM25 as Lucene computes it."""
