"""A strict server with the Search Relevance Workbench's paths for judgments, written from the plugin's sources.

What it takes and refuses is that of RestPutJudgmentAction, TextValidationUtil (its later and narrower limits),
PutJudgmentTransportAction, ImportJudgmentsProcessor, RestGetJudgmentAction and the mapping of search-relevance-judgment
(opensearch-project/search-relevance, 3.1 and main). Lists are imported after the answer, as in the plugin.
"""

from __future__ import annotations

import json
import re
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

JUDGMENTS = "/_plugins/_search_relevance/judgments"
INDEX = "search-relevance-judgment"
NESTED_OBJECTS = 10_000
TYPES = ("LLM_JUDGMENT", "UBI_JUDGMENT", "IMPORT_JUDGMENT")


class Workbench:
    """A node with the workbench on a free port; use as a context manager.

    Args:
        plugin: False for a node without it.
        is_enabled: plugins.search_relevance.workbench_enabled.
        n_looks: How often a list is looked at before it is imported.
    """

    def __init__(self, *, plugin: bool = True, is_enabled: bool = True, n_looks: int = 1) -> None:
        self.plugin, self.is_enabled, self.n_looks = plugin, is_enabled, n_looks
        self.authorization = ""
        self.lists: dict[str, dict] = {}
        self.asked: list[tuple[str, str]] = []
        self.lose_answers = self.busy = 0
        self._waiting: dict[str, tuple[int, list]] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.workbench = self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Workbench:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, uri: str, body: object) -> tuple[int, object]:
        """Return status and answer, JSON or plain text; status 0: the answer is lost."""
        parts = urlsplit(uri)
        self.asked.append((method, parts.path))
        if parts.path.startswith("/_plugins/_search_relevance"):
            return self._plugin(method, parts.path, parse_qs(parts.query), body)
        if (method, parts.path) == ("POST", f"/{INDEX}/_search"):
            return self._search(parse_qs(parts.query), body)
        return 400, {"error": f"no handler found for uri [{uri}] and method [{method}]"}

    def _plugin(self, method: str, path: str, query: dict, body: object) -> tuple[int, object]:
        if not self.plugin:
            return 400, {"error": f"no handler found for uri [{path}] and method [{method}]"}
        if not self.is_enabled:
            return 403, "Search Relevance Workbench is disabled"
        if (method, path) == ("PUT", JUDGMENTS):
            return self._put(body)
        if method == "GET" and path.startswith(f"{JUDGMENTS}/"):
            return self._get(path.rpartition("/")[2], query)
        return 405, {"error": f"Incorrect HTTP method for uri [{path}] and method [{method}]", "status": 405}

    def _put(self, body: dict) -> tuple[int, object]:
        if self.busy:
            self.busy -= 1
            return 429, {"error": {"type": "rejected_execution_exception", "reason": "queue is full"}}
        for field, limit in (("name", 50), ("description", 250)):
            wrong = "" if field == "description" and field not in body else _wrong_text(body.get(field), limit)
            if wrong:
                return 400, f"Invalid {field}: {wrong}"
        if body.get("type") not in TYPES:
            return 400, {"error": {"type": "illegal_argument_exception", "reason": "Invalid or missing judgment type"}}
        found = str(uuid.uuid4())
        self.lists[found] = {"name": body["name"], "status": "PROCESSING", "type": body["type"], "judgmentRatings": []}
        self._waiting[found] = (self.n_looks, body.get("judgmentRatings"))
        if self.lose_answers:
            self.lose_answers -= 1
            return 0, None
        return 200, {"judgment_id": found}

    def _get(self, judgment_id: str, query: dict) -> tuple[int, object]:
        if judgment_id not in self.lists:
            return 404, {"error": {"type": "search_relevance_exception", "reason": "Document not found"}}
        self._work(judgment_id)
        hits = [{"_index": INDEX, "_id": judgment_id, "_source": self.lists[judgment_id]}]
        return 200, _filtered({"hits": {"total": {"value": 1}, "hits": hits}}, query.get("filter_path", [""])[0])

    def _work(self, judgment_id: str) -> None:
        n_looks, ratings = self._waiting.pop(judgment_id, (0, None))
        if ratings is None:
            return
        if n_looks > 0:
            self._waiting[judgment_id] = (n_looks - 1, ratings)
            return
        error = _wrong_ratings(ratings)
        done = {"status": "ERROR", "metadata": {"error": error}} if error else {"status": "COMPLETED", "metadata": {}}
        self.lists[judgment_id] |= {**done, "judgmentRatings": [] if error else ratings}

    def _search(self, query: dict, body: dict) -> tuple[int, object]:
        if not self.plugin or not self.lists:
            missing = {"error": {"type": "index_not_found_exception", "reason": f"no such index [{INDEX}]"}}
            return (200, {"hits": {"hits": []}}) if query.get("ignore_unavailable") == ["true"] else (404, missing)
        name, keys = body["query"]["term"]["name"], body["_source"]
        found = [
            {"_id": number, "_source": {key: kept[key] for key in keys if key in kept}}
            for number, kept in self.lists.items()
            if kept["name"] == name
        ]
        return 200, {"hits": {"hits": found[: body["size"]]}}


def _wrong_text(text: object, limit: int) -> str:
    if text is None:
        return "Text cannot be null"
    if text == "":
        return "Text cannot be empty"
    if len(text) > limit:
        return f"Text exceeds maximum length of {limit} characters"
    is_bad = re.fullmatch(r'.*["\\<>]+.*', text)
    return "Text contains invalid characters (quotes, backslashes, or HTML tags are not allowed)" if is_bad else ""


def _wrong_ratings(ratings: list) -> str:
    """Return what the import of a list fails by; a rating has to be a text, and it has to read as a float."""
    n_objects = 0
    for rated in ratings:
        query = rated["query"]
        if not isinstance(rated.get("ratings"), list):
            return f"queryText {query} must have a list of rating data."
        for rating in rated["ratings"]:
            if not isinstance(rating.get("docId"), str) or not rating["docId"]:
                return f"docId for queryText {query} must not be null or empty"
            if not isinstance(rating.get("rating"), str):
                return f"rating for queryText {query} must not be null"
            if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", rating["rating"]):
                return f"rating '{rating['rating']}' for queryText {query} must be a valid float"
        n_objects += 1 + len({rating["docId"] for rating in rated["ratings"]})
    if n_objects > NESTED_OBJECTS:
        return f"The number of nested documents has exceeded the allowed limit of [{NESTED_OBJECTS}]."
    return ""


def _filtered(body: object, paths: str) -> object:
    """Keep what `filter_path` names, of lists every entry."""
    if not paths:
        return body
    if isinstance(body, list):
        return [kept for entry in body if (kept := _filtered(entry, paths))]
    kept: dict = {}
    for path in paths.split(","):
        head, _, rest = path.partition(".")
        if head in body:
            found = _filtered(body[head], rest) if rest else body[head]
            kept[head] = _joined(kept.get(head), found)
    return {key: value for key, value in kept.items() if value not in ({}, [], None)}


def _joined(known: object, found: object) -> object:
    if isinstance(known, list) and isinstance(found, list):
        return [_joined(*pair) for pair in zip(known, found, strict=True)] if found else known
    if isinstance(known, dict) and isinstance(found, dict):
        return {**known, **{key: _joined(known.get(key), value) for key, value in found.items()}}
    return found


class _Handler(BaseHTTPRequestHandler):
    def _answer(self):
        content = self.rfile.read(int(self.headers.get("content-length", 0)))
        workbench = self.server.workbench
        if self.headers.get("authorization", "") != workbench.authorization:
            self._send(401, "Unauthorized")
            return
        self._send(*workbench.answer(self.command, self.path, json.loads(content or b"{}")))

    do_GET = do_POST = do_PUT = _answer  # noqa: N815 - the server's own names

    def _send(self, status: int, body: object) -> None:
        if not status:
            self.close_connection = True
            return
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Keep quiet."""
