"""Writes changes into a configuration: what stands in it besides stays as it is."""

from __future__ import annotations

import json
import re
from shlex import quote
from typing import TYPE_CHECKING, Any

from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.static_rules.inputs import EMR, SUBMIT, YAML

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rankhammer_doctor.findings import ConfChange, Finding
    from rankhammer_doctor.static_rules.inputs import ConfSource

_OWN = "spark.yml"


def changes_of(findings: Iterable[Finding]) -> tuple[list[ConfChange], list[ConfChange]]:
    """Return what can be written into the configuration, and what belongs elsewhere.

    Args:
        findings: The gravest first; of two changes of one key the first one counts.
    """
    own: dict[str, ConfChange] = {}
    elsewhere: dict[str, ConfChange] = {}
    for finding in findings:
        for change in finding.changes:
            (own if change.file == _OWN else elsewhere).setdefault(change.key, change)
    return list(own.values()), list(elsewhere.values())


def fixed(source: ConfSource, changes: Sequence[ConfChange]) -> str:
    """Return the configuration with changes in it, in its own form.

    Args:
        source: What was read.
        changes: Keys to set, or to take away.

    Raises:
        DoctorError: Its form cannot be changed line by line.
    """
    if source.kind == EMR:
        return _emr(source.text, changes)
    if source.kind == SUBMIT:
        return "\n".join(f"--conf {quote(f'{one.key}={one.value}')}" for one in changes if one.value is not None)
    separator = ": " if source.kind == YAML else " "
    lines = source.text.splitlines()
    for change in changes:
        _set_line(lines, change, separator)
    return "\n".join(lines) + "\n"


def _set_line(lines: list[str], change: ConfChange, separator: str) -> None:
    pattern = re.compile(rf"^([\"']?{re.escape(change.key)}[\"']?)(\s*[:=]\s*|\s+|$)")
    places = [place for place, line in enumerate(lines) if pattern.match(line)]
    if change.value is None:
        for place in reversed(places):
            del lines[place]
        return
    value = change.value
    if separator == ": " and value.lower() in ("true", "false", "yes", "no", "on", "off", "null"):
        value = f'"{value}"'
    if places:
        found = pattern.match(lines[places[-1]])
        kept = found[2] if found and found[2].strip("\n") else separator
        lines[places[-1]] = f"{change.key}{kept}{value}"
    else:
        lines.append(f"{change.key}{separator}{value}")


def _emr(text: str, changes: Sequence[ConfChange]) -> str:
    values: Any = json.loads(text)
    listed = values.setdefault("Configurations", []) if isinstance(values, dict) else values
    if not isinstance(listed, list):
        raise DoctorError("The JSON cannot be changed.", hint="Set the keys by hand.")
    entry = next((one for one in listed if one.get("Classification") == "spark-defaults"), None)
    if entry is None:
        entry = {"Classification": "spark-defaults", "Properties": {}}
        listed.append(entry)
    properties = entry.setdefault("Properties", {})
    for change in changes:
        if change.value is None:
            properties.pop(change.key, None)
        else:
            properties[change.key] = change.value
    return json.dumps(values, indent=2) + "\n"
