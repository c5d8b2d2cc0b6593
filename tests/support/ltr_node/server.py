"""The node itself: HTTP on loopback, indices, searches, and the plugin's paths."""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from ltr_node.queries import Evaluator
from ltr_node.refusals import Refusal, bad, illegal, of_shards
from ltr_node.search import filtered, search
from ltr_node.store import Store, checked_set

VERSIONS = ("2.19.6", "3.6.0", "3.8.0")
NO_SHARD = "no_shard_available_action_exception"
MAX_BODY = 100 * 1024 * 1024
_BUSY = {
    "root_cause": [],
    "type": "search_phase_execution_exception",
    "reason": "",
    "phase": "fetch",
    "grouped": True,
    "failed_shards": [],
    "caused_by": {"type": "rejected_execution_exception", "reason": "rejected execution: queue capacity = 1000"},
}
_PARAMETERS = {
    "_search": {"filter_path", "search_type", "include_named_queries_score"},
    "_msearch": {"filter_path", "search_type", "max_concurrent_searches"},
    "_doc": {"refresh", "if_seq_no", "if_primary_term", "op_type"},
}


class LtrNode:
    """A node with the plugin on a free port; use as a context manager.

    Args:
        version: One of VERSIONS.
        plugin: False for a node without the plugin.
        authorization: The header that every request has to bring; empty: none.
    """

    product = "opensearch"
    component = "opensearch-ltr"

    def __init__(self, version: str, *, plugin: bool = True, authorization: str = "") -> None:
        self.version = version
        self.plugin = plugin
        self.authorization = authorization
        self.indices: dict[str, dict[str, dict]] = {}
        self.sequence: dict[tuple[str, str], int] = {}
        self.stores: dict[str, Store] = {}
        self.asked: list[tuple[str, str, str]] = []
        self.busy_members = 0
        self.closed_lookups = 0
        self.on_request = lambda method, path: None
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.node = self

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> LtrNode:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict]:
        """Answer a request; `path` is as it stands in the request line."""
        text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
        url = urlsplit(path)
        parts = [unquote(part) for part in url.path.strip("/").split("/") if part]
        params = dict(parse_qsl(url.query, keep_blank_values=True))
        try:
            self.on_request(method, path)
            with self._lock:
                self.asked.append((method, path, text))
                status, answer = self._route(method, parts, params, text)
        except Refusal as refusal:
            return refusal.status, refusal.body()
        return status, filtered(answer, params.get("filter_path", ""))

    def about(self) -> dict:
        """Return what `GET /` says of the version."""
        return {"distribution": "opensearch", "number": self.version}

    def plugin_version(self) -> str:
        """Return what `_cat/plugins` says."""
        return f"{self.version}.0"

    def writes(self) -> list[str]:
        """Return what was asked that changes something, in order."""
        reading = ("_search", "_msearch")
        found = [(method, urlsplit(path).path) for method, path, _ in self.asked if method not in ("GET", "HEAD")]
        return [f"{method} {path}" for method, path in found if not path.endswith(reading)]

    def _route(self, method: str, parts: list[str], params: dict, text: str) -> tuple[int, dict | list]:
        if len(text) > MAX_BODY:
            return 413, {}
        if not parts:
            return 200, {"name": "n", "cluster_name": "stand-in", "version": self.about()}
        if parts[0] == "_msearch":
            _only(params, "_msearch", "/_msearch")
            return 200, {"responses": list(self._members(text))}
        if parts[0] == "_ltr":
            return self._ltr(method, parts[1:], json.loads(text) if text else None)
        if parts[0].startswith("_"):
            return self._own(parts)
        return self._index(method, parts, params, text)

    def _own(self, parts: list[str]) -> tuple[int, dict | list]:
        if parts[:2] == ["_cat", "plugins"]:
            row = {"name": "n", "component": self.component, "version": self.plugin_version()}
            return 200, [row] if self.plugin else []
        if parts == ["_cluster", "health"]:
            return 200, {"cluster_name": "stand-in", "status": "green"}
        if parts[:2] == ["_nodes", "stats"]:
            return 200, {"nodes": {"n": {"indices": {"search": {"query_total": 7}}}}}
        return _no_index(parts[0])

    def _index(self, method: str, parts: list[str], params: dict, text: str) -> tuple[int, dict]:
        index, verb = parts[0], parts[1] if len(parts) > 1 else ""
        if verb in _PARAMETERS:
            _only(params, verb, "/" + "/".join(parts))
        if verb == "_doc":
            return self._doc(method, index, parts[2], params, json.loads(text) if text else None)
        if verb == "" and method == "PUT":
            if index in self.indices:
                raise bad("resource_already_exists_exception", f"index [{index}/x] already exists")
            self.indices[index] = {}
            return 200, {"acknowledged": True, "index": index}
        if verb == "" and method == "DELETE":
            self.indices.pop(index, None)
            return 200, {"acknowledged": True}
        if index not in self.indices:
            return _not_found(index)
        if verb == "_search":
            return 200, self._search(index, json.loads(text or "{}"))
        if verb == "_bulk":
            lines = [json.loads(line) for line in text.splitlines()]
            for action, source in zip(lines[::2], lines[1::2], strict=True):
                self.indices[index][action["index"]["_id"]] = source
        return 200, {"errors": False, "count": len(self.indices[index])}

    def _doc(self, method: str, index: str, doc_id: str, params: dict, body: dict | None) -> tuple[int, dict]:
        found = self.indices.get(index, {}).get(doc_id)
        if method == "GET":
            if index not in self.indices:
                return _not_found(index)
            if found is None:
                return 404, {"_index": index, "_id": doc_id, "found": False}
            sequence = {"_seq_no": self.sequence[index, doc_id], "_primary_term": 1}
            return 200, {"_index": index, "_id": doc_id, "found": True, **sequence, "_source": found}
        expected = params.get("if_seq_no")
        stale = expected is not None and int(expected) != self.sequence.get((index, doc_id), -1)
        if stale or (params.get("op_type") == "create" and found is not None):
            raise Refusal(409, ("version_conflict_engine_exception", f"[{doc_id}]: version conflict"))
        self.indices.setdefault(index, {})[doc_id] = body
        self.sequence[index, doc_id] = max(self.sequence.values(), default=-1) + 1
        return 200 if found else 201, {"result": "updated" if found else "created"}

    def _search(self, index: str, body: dict) -> dict:
        return search(self._evaluator(), index, self.indices[index], body)

    def _evaluator(self) -> Evaluator:
        return Evaluator(self.stores, self.version, self._require_open_store)

    def _require_open_store(self) -> None:
        """After a start the store's index takes a while: until then the next `closed_lookups` are refused."""
        if not self.closed_lookups:
            return
        self.closed_lookups -= 1
        words = "No shard available for [get [.ltrstore][featureset-fs]: routing [null]]"
        causes = [("i_o_exception", f"NoShardAvailableActionException[{words}]"), (NO_SHARD, words)]
        raise of_shards(("query_shard_exception", f"failed to create query: {causes[0][1]}"), *causes)

    def _members(self, text: str) -> list[dict]:
        if not text.endswith("\n"):
            raise illegal("The msearch request must be terminated by a newline [\\n]")
        lines = [json.loads(line) for line in text.splitlines()]
        return [self._member(*pair) for pair in zip(lines[::2], lines[1::2], strict=True)]

    def _member(self, header: dict, body: dict) -> dict:
        if self.busy_members:
            self.busy_members -= 1
            return {"error": _BUSY, "status": 429}
        try:
            for key in header:
                if key not in {"index", "search_type"}:
                    raise illegal(f"key [{key}] is not supported in the metadata section")
            if header["index"] not in self.indices:
                return _not_found(header["index"])[1]
            return {**self._search(header["index"], body), "status": 200}
        except Refusal as refusal:
            return refusal.body()

    def _ltr(self, method: str, parts: list[str], body: dict | None) -> tuple[int, dict]:
        if not self.plugin:
            return _no_index("_ltr")
        store = "_default_"
        if parts and not parts[0].startswith("_"):
            store, *parts = parts
        if not parts:
            return self._own_store(method, store)
        if store not in self.stores:
            if method == "GET":
                return _not_found(_store_index(store))
            raise illegal(f"Store [{_store_index(store)}] does not exist, please create it first.")
        if parts == ["_clearcache"]:
            return 200, {"acknowledged": True}
        return self._element(method, self.stores[store], parts, body)

    def _own_store(self, method: str, store: str) -> tuple[int, dict]:
        index = _store_index(store)
        if method == "GET":
            found = {name: {"store": name, "index": _store_index(name), "version": 2} for name in self.stores}
            return 200, {"stores": found}
        if method == "DELETE":
            self.stores.pop(store, None)
            return 200, {"acknowledged": True}
        if store in self.stores:
            raise bad("resource_already_exists_exception", f"index [{index}/x] already exists")
        self.stores[store] = Store(self.version)
        return 200, {"acknowledged": True, "shards_acknowledged": True, "index": index}

    def _element(self, method: str, store: Store, parts: list[str], body: dict | None) -> tuple[int, dict]:
        kind, name = parts[0].removeprefix("_"), parts[1]
        if method == "POST" and parts[2:] == ["_createmodel"]:
            return 201, store.create_model(name, body or {})
        if parts[2:] or kind not in ("featureset", "model"):
            raise illegal(f"no handler found for uri [/_ltr/{'/'.join(parts)}] and method [{method}]")
        if method == "GET":
            found = store.get(kind, name)
            return (200, found) if found else (404, {"_id": f"{kind}-{name}", "found": False})
        if method == "DELETE":
            return (200, {"result": "deleted"}) if store.delete(kind, name) else (404, {"result": "not_found"})
        if kind == "model":
            raise bad("parsing_exception", "Field [feature_set] is mandatory")
        checked = checked_set(body or {})
        if "validation" in checked:
            self._validate(checked)
        stored = store.put_featureset(name, checked, overwrite=method == "POST")
        return 201 if stored["result"] == "created" else 200, stored

    def _validate(self, body: dict) -> None:
        outer = ("illegal_argument_exception", "Cannot store element, validation failed.")
        features, asked = body["featureset"].get("features", []), body["validation"]
        if not features:
            raise illegal("a feature set must have a feature").inside(outer)
        if asked["index"] not in self.indices:
            raise Refusal(400, outer, ("index_not_found_exception", f"no such index [{asked['index']}]"))
        trial = Store(self.version)
        trial.put_featureset("trial", body, overwrite=True)
        evaluator = Evaluator({"_default_": trial}, self.version)
        query = {"sltr": {"featureset": "trial", "params": asked.get("params", {})}}
        try:
            evaluator.sltr(query["sltr"])
            # One document at least: templates are tried whether the index has any or not.
            for doc_id, source in list(self.indices[asked["index"]].items())[:5] or [("", {})]:
                evaluator.score(query, doc_id, source)
        except Refusal as refusal:
            raise refusal.inside(outer, status=400) from refusal


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def _answer(self) -> None:
        node: LtrNode = self.server.node
        text = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
        if node.authorization and self.headers.get("authorization") != node.authorization:
            status, body = 401, {"error": "Unauthorized"}
        else:
            status, body = node.call(self.command, self.path, text)
        content = json.dumps(body).encode() if status != 413 else b""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _answer  # noqa: N815 - the server's own names

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


def _only(params: dict, verb: str, path: str) -> None:
    for name in params:
        if name not in _PARAMETERS[verb]:
            raise illegal(f"request [{path}] contains unrecognized parameter: [{name}]")


def _store_index(store: str) -> str:
    return ".ltrstore" if store == "_default_" else f".ltrstore_{store}"


def _not_found(index: str) -> tuple[int, dict]:
    return 404, Refusal(404, ("index_not_found_exception", f"no such index [{index}]")).body()


def _no_index(name: str) -> tuple[int, dict]:
    words = f"Invalid index name [{re.sub(r'[^a-z_]', '', name)}], must not start with '_'."
    return 400, bad("invalid_index_name_exception", words).body()
