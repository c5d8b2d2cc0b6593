"""Put a corpus of Parquet documents into a development node, one index a corpus, as the embedded engine reads it.

    python dev/load_documents.py http://127.0.0.1:9200 data/01_raw/demo/documents

Every text field has one multi-field an analyzer: `title.english` beside `title.standard`. Numbers become doubles. An
index that is there is made again. Standard library and pyarrow only.
"""

from __future__ import annotations

import argparse
import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES = 1000
KEYS = ("corpus", "doc_id")
ANALYZERS = ("standard", "english")


def load(
    url: str,
    documents: str,
    *,
    index: str = "{corpus}",
    analyzers: tuple[str, ...] = ANALYZERS,
    settings: dict[str, Any] | None = None,
) -> dict[str, int]:
    """Make one index a corpus.

    Args:
        url: Of the node.
        documents: Folder of Parquet with corpus, doc_id and fields.
        index: Name of an index; {corpus} stands for the corpus.
        analyzers: Of the multi-fields; minimal nodes know `standard` alone.
        settings: Of the indices; one shard and no replica otherwise.

    Returns:
        Index to number of documents.
    """
    table = ds.dataset(documents).to_table()
    mappings = {"properties": _mappings(table.schema, analyzers)}
    body = {"settings": settings or {"number_of_shards": 1, "number_of_replicas": 0}, "mappings": mappings}
    made = {}
    for corpus in table["corpus"].unique().to_pylist():
        rows = table.filter(pa.compute.equal(table["corpus"], corpus))
        name = index.format(corpus=corpus)
        made[name] = _load(url, name, rows, body)
    return made


def _load(url: str, index: str, rows: pa.Table, body: dict[str, Any]) -> int:
    call(url, "DELETE", f"/{index}?ignore_unavailable=true")
    call(url, "PUT", f"/{index}", body)
    for begin in range(0, len(rows), LINES):
        call(url, "POST", f"/{index}/_bulk", "".join(_bulk(rows.slice(begin, LINES))))
    call(url, "POST", f"/{index}/_refresh")
    call(url, "POST", f"/{index}/_forcemerge?max_num_segments=1")
    return len(rows)


def _mappings(schema: pa.Schema, analyzers: tuple[str, ...]) -> dict[str, Any]:
    views = {analyzer: {"type": "text", "analyzer": analyzer} for analyzer in analyzers}
    text = {"type": "text", "fields": views}
    fields = [field for field in schema if field.name not in KEYS]
    return {field.name: text if pa.types.is_string(field.type) else {"type": "double"} for field in fields}


def _bulk(rows: pa.Table) -> Iterator[str]:
    for row in rows.to_pylist():
        yield json.dumps({"index": {"_id": row["doc_id"]}}) + "\n"
        yield json.dumps({key: value for key, value in row.items() if key not in KEYS and value is not None}) + "\n"


def call(url: str, method: str, path: str, body: Any = None) -> Any:
    """Ask a node once; the answer's JSON."""
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else None
    kind = "application/x-ndjson" if isinstance(body, str) else "application/json"
    request = urllib.request.Request(url + path, content, {"content-type": kind}, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        found = json.load(answer)
    if isinstance(found, dict) and found.get("errors"):
        raise RuntimeError(f"{method} {path}: {str(found)[:500]}")
    return found


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("documents")
    parser.add_argument("--index", default="{corpus}", help="name of an index, {corpus} in it for the corpus")
    given = parser.parse_args()
    print(json.dumps(load(given.url, given.documents, index=given.index)))


if __name__ == "__main__":
    main()
