"""Judgment lists into OpenSearch's Search Relevance Workbench: each once, whatever was lost on the way."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from rankhammer.deploy.requests import EngineRequest
from rankhammer.errors import DataError, EngineError
from rankhammer.search_engines.client import connect
from rankhammer.search_engines.shapes import FoundLists, ImportedList
from rankhammer.storage.base import storage_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rankhammer.deploy.options import EngineCluster
    from rankhammer.search_engines.client import Client

TARGET, MANIFEST = "srw", "manifest.json"
JUDGMENTS = "/_plugins/_search_relevance/judgments"
INDEX = "search-relevance-judgment"
"""Where the plugin keeps lists; a plain index."""

PAUSE_S = 0.2
_DONE, _AT_WORK, _FAILED = "COMPLETED", "PROCESSING", "ERROR"
_REFUSED = (400, 403)


@dataclass(frozen=True)
class JudgmentList:
    """The body of one import request.

    Args:
        path: Of its file.
        body: name, type and judgmentRatings.
    """

    path: str
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """What it is called in the workbench; made from its content."""
        return str(self.body["name"])


@dataclass(frozen=True)
class PushedList:
    """A list that is in a workbench.

    Args:
        url: The cluster.
        name: Of the list.
        judgment_id: The workbench's own id, which an experiment names.
        is_new: False where it was there before.
    """

    url: str
    name: str
    judgment_id: str
    is_new: bool


def read_lists(folder: str) -> Iterator[JudgmentList]:
    """Read the lists of one corpus, one after the other.

    Args:
        folder: <corpus>/srw of the exported judgments.

    Raises:
        DataError: It is no such folder, or a file is missing or no import request.
    """
    root = folder.rstrip("/")
    for name in _names(root):
        path = f"{root}/{name}"
        body = _json(path)
        if not (isinstance(body.get("name"), str) and isinstance(body.get("judgmentRatings"), list)):
            raise DataError(f"{path} is no import request of the workbench.", hint="Run judgment_export again.")
        yield JudgmentList(path, body)


def push_lists(folders: Sequence[str], clusters: Sequence[EngineCluster]) -> Iterator[PushedList]:
    """Push every list of some folders to every cluster; one that is there under its name is left as it is.

    Args:
        folders: <corpus>/srw of the exported judgments, each.
        clusters: With the workbench.

    Yields:
        Each list as soon as it is there.

    Raises:
        DataError: A folder holds no exported lists.
        EngineError: A cluster refuses, has no workbench, or fails to import a list.
        ConfigError: There are no such credentials.
    """
    for folder in folders:
        _names(folder.rstrip("/"))
    for cluster in clusters:
        client = connect(cluster)
        for folder in folders:
            for judgments in read_lists(folder):
                yield _push(client, judgments)


def planned_push(folders: Sequence[str], clusters: Sequence[EngineCluster]) -> list[tuple[str, list[EngineRequest]]]:
    """Return what `push_lists` would ask of clusters on which nothing is yet; nothing is sent.

    Args:
        folders: <corpus>/srw of the exported judgments, each.
        clusters: With the workbench.

    Returns:
        (url, requests in order) of each cluster.
    """
    requests = [
        request
        for folder in folders
        for judgments in read_lists(folder)
        for request in (_search(judgments.name), _import(judgments), _look("<judgment_id>"))
    ]
    return [(cluster.url, requests) for cluster in clusters]


def _names(root: str) -> list[str]:
    """Return the files that the manifest lists; all of them have to be there."""
    storage = storage_for(root)
    if not storage.exists(f"{root}/{MANIFEST}"):
        raise DataError(
            f"{root} holds no exported judgments: it has no {MANIFEST}.",
            hint="Run `kedro run --pipeline=judgment_export` with the target srw, and name <corpus>/srw of its output.",
        )
    manifest = _json(f"{root}/{MANIFEST}")
    if manifest.get("target") != TARGET:
        raise DataError(
            f"{root} is an export for {manifest.get('target')!r}; the workbench takes those for {TARGET!r}.",
            hint="Name the folder <corpus>/srw of the exported judgments.",
        )
    missing = [name for name in manifest["files"] if not storage.exists(f"{root}/{name}")]
    if missing:
        raise DataError(f"{root} lacks {missing[0]}.", hint="Copy the whole folder again, or export again.")
    return list(manifest["files"])


def _json(path: str) -> dict[str, Any]:
    try:
        found = json.loads(storage_for(path).read(path))
    except ValueError as exc:
        raise DataError(f"{path} is no JSON: {exc}.", hint="Export again.") from exc
    return found if isinstance(found, dict) else {}


def _push(client: Client, judgments: JudgmentList) -> PushedList:
    """Import a list unless it is there. An answer that was lost is no reason to import it twice: look again."""
    give_up = time.monotonic() + client.server.patience_s
    is_new = False
    while (found := _find(client, judgments.name)) is None:
        try:
            found = _imported(client, judgments)
            is_new = True
            break
        except EngineError as exc:
            if exc.values.keys() & {"status", "permanent"} or time.monotonic() > give_up:
                raise
            time.sleep(PAUSE_S)
    _wait(client, judgments, found, give_up)
    return PushedList(client.server.url, judgments.name, found, is_new)


def _search(name: str) -> EngineRequest:
    body = {"size": 100, "query": {"term": {"name": name}}, "_source": ["status"]}
    return EngineRequest("POST", f"/{INDEX}/_search?ignore_unavailable=true", body, "is it there under this name?")


def _import(judgments: JudgmentList) -> EngineRequest:
    return EngineRequest("PUT", JUDGMENTS, judgments.body, "where it is not", _REFUSED)


def _look(judgment_id: str) -> EngineRequest:
    shown = "filter_path=hits.hits._source.status,hits.hits._source.metadata.error"
    place = f"{JUDGMENTS}/{quote(judgment_id, safe='<>')}?{shown}"
    return EngineRequest("GET", place, note="until it is imported")


def _find(client: Client, name: str) -> str | None:
    """Return the id of a list that is imported, or being imported; one whose import failed does not count."""
    hits = _search(name).send(client).read(FoundLists).hits.hits
    ids = {hit.source.status: hit.id for hit in hits}
    return ids.get(_DONE, ids.get(_AT_WORK))


def _imported(client: Client, judgments: JudgmentList) -> str:
    answer = _import(judgments).send(client.without_retries())
    if answer.status in _REFUSED:
        raise _refusal(client, judgments, answer.reason, answer.status)
    return answer.read(ImportedList).judgment_id


def _refusal(client: Client, judgments: JudgmentList, reason: str, status: int) -> EngineError:
    hint = "Its own words say what is wrong with the list; export it again."
    if "no handler found" in reason:
        hint = "It has no Search Relevance Workbench: OpenSearch 3.1 is the first with it."
    elif "is disabled" in reason:
        hint = "Set plugins.search_relevance.workbench_enabled to true in the cluster's settings."
    elif status == 403:
        hint = "The user needs cluster:admin/opensearch/search_relevance/* and to read search-relevance-judgment."
    return EngineError(f"{client.server.url} refuses {judgments.path}: {status} {reason}", hint=hint, status=status)


def _wait(client: Client, judgments: JudgmentList, judgment_id: str, give_up: float) -> None:
    """The workbench answers first and imports afterwards."""
    while True:
        hits = _look(judgment_id).send(client).read(FoundLists).hits.hits
        found = hits[0].source if hits else None
        status = found.status if found else "not there"
        if status == _DONE:
            return
        if found and status == _FAILED:
            why = client.about(str((found.metadata or {}).get("error"))).reason
            raise EngineError(
                f"{client.server.url} could not import {judgments.path}: {why}",
                hint="Where it has too many nested objects, export with a smaller max_nested_objects.",
            )
        if time.monotonic() > give_up:
            raise EngineError(
                f"{client.server.url} has not imported {judgments.path} within {client.server.patience_s:g} s: "
                f"{status}.",
                hint=f"Run again later. Where a node was restarted meanwhile, DELETE {JUDGMENTS}/{judgment_id} first.",
            )
        time.sleep(PAUSE_S)
