"""Spark's REST interface of an application that runs.

References:
    Apache Spark, "Monitoring and Instrumentation", section REST API (versions 2.1 to 4.x): paths and names of fields.
"""

from __future__ import annotations

import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from typing import Any

from rankhammer_doctor.errors import DoctorError

_MAX_BYTES = 64 << 20
_TIMEOUT_S = 30
_FIRST_PORT, _N_PORTS = 4040, 16
_HINT = "Is it running, with spark.ui.enabled? Name the address of its web UI, such as http://127.0.0.1:4040."
_SHOWN = 200


class SparkApi:
    """What one application says of itself.

    Args:
        base: Address of its web UI, or of a proxy before it.
        application: Its id; the only one that is there by default.

    Raises:
        DoctorError: Nothing answers there, or something that is no Spark.
    """

    def __init__(self, base: str, application: str | None = None) -> None:
        host_of(base)
        self._base = f"{base.rstrip('/')}/api/v1"
        found = [one for one in rows(self._read("/applications")) if one.get("id")]
        ids = [str(one["id"]) for one in found]
        if application is not None and application not in ids:
            raise DoctorError(f"{base} shows {', '.join(ids[:5]) or 'nothing'}, and not {application}.", hint=_HINT)
        if not ids:
            raise DoctorError(f"{base} shows no application.", hint=_HINT)
        self.application = found[ids.index(application) if application else 0]
        self._path = f"/applications/{urllib.parse.quote(str(self.application['id']), safe='')}"

    def get(self, path: str) -> Any:
        """Read a resource of the application.

        Args:
            path: Below the application, with a leading slash.

        Returns:
            What it answers; None where it has no such thing (any longer).
        """
        return self._read(self._path + path)

    def _read(self, path: str) -> Any:
        address = self._base + path
        request = urllib.request.Request(address, headers={"accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
                content = _content(answer)
        except urllib.error.HTTPError as exc:
            exc.close()
            if exc.code == 404:
                return None
            raise DoctorError(f"{address} answers {exc.code}.", hint=_HINT) from exc
        except (OSError, HTTPException, ValueError) as exc:
            raise DoctorError(f"{address} does not answer: {exc}", hint=_HINT) from exc
        if len(content) > _MAX_BYTES:
            raise DoctorError(f"{address} answers with more than {_MAX_BYTES >> 20} MiB.", hint="See its web UI.")
        try:
            return json.loads(content)
        except (ValueError, RecursionError) as exc:
            raise DoctorError(f"{address} answers something else than JSON.", hint=_HINT) from exc


def _content(answer: Any) -> bytes:
    """Read an answer, but neither one that never ends nor one that comes byte by byte."""
    parts: list[bytes] = []
    end, size = time.monotonic() + 4 * _TIMEOUT_S, 0
    while size <= _MAX_BYTES:
        part = answer.read1(1 << 20)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if time.monotonic() > end:
            raise TimeoutError("the answer takes too long")
    return b"".join(parts)


def host_of(address: str) -> str:
    """Return the host of a web UI's address.

    Raises:
        DoctorError: It is no address.
    """
    try:
        parts = urllib.parse.urlsplit(address)
        if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts.hostname
    except ValueError:
        # A port that is no number, half an address of IPv6.
        pass
    raise DoctorError(f"{address[:_SHOWN]} is no address of a web UI.", hint=_HINT)


def find(place: str, application: str | None = None) -> SparkApi:
    """Find an application that runs.

    Args:
        place: Address of its web UI; a port of this machine; or its id, which is looked for at the ports of this
            machine that Spark takes by itself.
        application: Its id, where several are at one address.

    Raises:
        DoctorError: It is not there.
    """
    if "://" in place:
        return SparkApi(place, application)
    if place.isdigit():
        return SparkApi(f"http://127.0.0.1:{place}", application)
    if not re.fullmatch(r"[\w.-]+", place):
        raise DoctorError(f"{place[:_SHOWN]} is neither an address nor an application's id.", hint=_HINT)
    for port in range(_FIRST_PORT, _FIRST_PORT + _N_PORTS):
        try:
            return SparkApi(f"http://127.0.0.1:{port}", place)
        except DoctorError:
            continue
    ports = f"{_FIRST_PORT} to {_FIRST_PORT + _N_PORTS - 1}"
    raise DoctorError(f"No application {place} shows itself at the ports {ports} of this machine.", hint=_HINT)


def rows(answer: Any) -> list[dict[str, Any]]:
    """Return the objects of a list; nothing of what is none."""
    return [one for one in answer if isinstance(one, dict)] if isinstance(answer, list) else []


def number(row: dict[str, Any], name: str) -> float:
    """Return a figure, 0 where there is none."""
    value = row.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else 0.0
