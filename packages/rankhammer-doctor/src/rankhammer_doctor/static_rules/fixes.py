"""Writes changes into a configuration: what stands in it besides stays as it is."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING, Any

from rankhammer_doctor.errors import DoctorError
from rankhammer_doctor.findings import ConfChange, Severity
from rankhammer_doctor.static_rules.inputs import EMR, OPTIONS, SUBMIT, YAML, parse_conf

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from rankhammer_doctor.findings import Finding
    from rankhammer_doctor.static_rules.inputs import ConfSource

    Check = Callable[[Mapping[str, str]], Iterable[Finding]]

_OWN = "spark.yml"
_MOST_STEPS = 60
_BY_HAND = "Set the keys by hand."


@dataclass(frozen=True)
class Settled:
    """What is to be set so that the rules have no change left to ask for.

    Args:
        changes: Of the configuration.
        elsewhere: Keys of other files, for somebody's hands.
        left: Findings about the configuration once it has the changes.
    """

    changes: tuple[ConfChange, ...]
    elsewhere: tuple[ConfChange, ...]
    left: tuple[Finding, ...]


def settled(conf: Mapping[str, str], check: Check) -> Settled:
    """Apply the changes of one finding after the other, the gravest first, and look again after each.

    A remedy counts with what is set, so that two of them together can ask for more than there is: only a look at the
    result says whether it fits. Where remedies undo each other, the state with the fewest errors and warnings counts.

    Args:
        conf: Flat Spark keys.
        check: Returns the findings about a configuration, the gravest first.
    """
    now, findings = _improved(*_all_remedies(dict(conf), check), check)
    changes = [change for finding in check(conf) for change in finding.changes] + [
        change for finding in findings for change in finding.changes
    ]
    elsewhere = {change.key: change for change in reversed(changes) if change.file != _OWN}
    keys = dict.fromkeys([*conf, *now])
    own = (ConfChange(key, now.get(key), conf.get(key)) for key in keys if now.get(key) != conf.get(key))
    return Settled(tuple(own), tuple(elsewhere.values()), tuple(findings))


def _all_remedies(now: dict[str, str], check: Check) -> tuple[dict[str, str], list[Finding]]:
    """Apply every remedy, and return the best state on the way: a remedy may make room for another one's need."""
    seen, findings = {tuple(sorted(now.items()))}, list(check(now))
    best = now, findings
    for _ in range(_MOST_STEPS):
        states = (_applied(now, finding) for finding in findings)
        following = next((state for state in states if tuple(sorted(state.items())) not in seen), None)
        if following is None:
            break
        now = following
        seen.add(tuple(sorted(now.items())))
        findings = list(check(now))
        best = min(best, (now, findings), key=lambda state: _gravity(state[1]))
    return best


def _improved(now: dict[str, str], findings: list[Finding], check: Check) -> tuple[dict[str, str], list[Finding]]:
    """Apply single remedies that leave fewer findings than before, whatever the others do to each other."""
    for _ in range(_MOST_STEPS):
        states = ((state, list(check(state))) for state in (_applied(now, finding) for finding in findings))
        better = next((one for one in states if _gravity(one[1]) < _gravity(findings)), None)
        if better is None:
            break
        now, findings = better
    return now, findings


def _gravity(findings: Sequence[Finding]) -> tuple[int, int, int]:
    """Count errors, warnings and changes that are left; of equal states the earlier one is closer to what was set."""
    grave = [sum(one.severity == severity for one in findings) for severity in (Severity.ERROR, Severity.WARNING)]
    return grave[0], grave[1], sum(bool(one.changes) for one in findings)


def _applied(conf: Mapping[str, str], finding: Finding) -> dict[str, str]:
    values = {**conf, **{one.key: one.value for one in finding.changes if one.file == _OWN}}
    return {key: value for key, value in values.items() if value is not None}


def fixed(source: ConfSource, changes: Sequence[ConfChange]) -> str:
    """Return the configuration with changes in it, in its own form.

    Args:
        source: What was read.
        changes: Keys to set, or to take away.

    Raises:
        DoctorError: Its form cannot be changed line by line.
    """
    if source.kind == SUBMIT:
        return "\n".join(map(_flag, changes))
    before = parse_conf(source.text, source.file).conf if source.text.strip() else {}
    text = _emr(source.text, changes) if source.kind == EMR else _lines(source, changes, before)
    wanted = {**before, **{one.key: one.value for one in changes}}
    if _conf_of(text, source) != {key: value for key, value in wanted.items() if value is not None}:
        # Texts over several lines, one object of JSON: a line more or less would say something else.
        raise DoctorError(f"{source.file} cannot be changed line by line.", hint=_BY_HAND)
    return text


def _conf_of(text: str, source: ConfSource) -> dict[str, str]:
    try:
        return parse_conf(text, source.file).conf
    except DoctorError:
        return {}


def _flag(change: ConfChange) -> str:
    """Write a change as spark-submit takes it: a flag of its own wins over --conf."""
    option = next((name for name, key in OPTIONS.items() if key == change.key), "")
    if change.value is None:
        return f"# without {option or f'--conf {change.key}'}"
    return f"{option} {quote(change.value)}" if option else f"--conf {quote(f'{change.key}={change.value}')}"


def _lines(source: ConfSource, changes: Sequence[ConfChange], before: Mapping[str, str]) -> str:
    separator = ": " if source.kind == YAML else " "
    lines = source.text.splitlines()
    for change in changes:
        if not _set_line(lines, change, separator) and change.key in before:
            # Nested below another key: a second place for it would leave two.
            raise DoctorError(f"{change.key} has no line of its own in {source.file}.", hint=_BY_HAND)
    return "\n".join(lines) + "\n"


def _set_line(lines: list[str], change: ConfChange, separator: str) -> bool:
    """Set a key, and return whether it had a line."""
    pattern = re.compile(rf"^([\"']?{re.escape(change.key)}[\"']?)(\s*[:=]\s*|\s+|$)")
    places = [place for place, line in enumerate(lines) if pattern.match(line)]
    if change.value is None:
        for place in reversed(places):
            del lines[place]
        return bool(places)
    value = change.value
    if separator == ": " and value.lower() in ("true", "false", "yes", "no", "on", "off", "null"):
        value = f'"{value}"'
    if places:
        found = pattern.match(lines[places[-1]])
        kept = found[2] if found and found[2].strip("\n") else separator
        lines[places[-1]] = f"{change.key}{kept}{value}"
    else:
        lines.append(f"{change.key}{separator}{value}")
    return bool(places)


def _name_of(entry: dict[str, Any]) -> Any:
    return entry.get("Classification") or entry.get("classification")


def _emr(text: str, changes: Sequence[ConfChange]) -> str:
    values: Any = json.loads(text)
    listed = values.setdefault("Configurations", []) if isinstance(values, dict) else values
    if not isinstance(listed, list):
        raise DoctorError("The JSON cannot be changed.", hint="Set the keys by hand.")
    entries = (one for one in listed if isinstance(one, dict))
    entry = next((one for one in entries if _name_of(one) == "spark-defaults"), None)
    if entry is None:
        entry = {"Classification": "spark-defaults", "Properties": {}}
        listed.append(entry)
    name = "properties" if "properties" in entry else "Properties"
    properties = entry[name] = entry.get(name) or {}
    for change in changes:
        if change.value is None:
            properties.pop(change.key, None)
        else:
            properties[change.key] = change.value
    return json.dumps(values, indent=2) + "\n"
