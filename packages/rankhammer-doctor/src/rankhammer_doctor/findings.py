"""What the doctor says: findings with their evidence, arithmetic, remedies and changes of configuration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from rankhammer_doctor.redaction import redact_text, redact_value

if TYPE_CHECKING:
    from collections.abc import Iterable

DOCS = "docs/doctor"


class Severity(IntEnum):
    """How grave a finding is; larger is graver."""

    INFO = 0
    WARNING = 1
    ERROR = 2

    @property
    def label(self) -> str:
        """Its name in lower case."""
        return self.name.lower()


@dataclass(frozen=True)
class ConfChange:
    """One key to set.

    Args:
        key: Of Spark, or of YARN where the file is yarn-site.xml.
        value: What to set; None takes the key away.
        old: What is set; None where nothing is.
        file: Where: spark.yml, cluster.yml, yarn-site.xml.
    """

    key: str
    value: str | None
    old: str | None = None
    file: str = "spark.yml"

    def lines(self) -> list[str]:
        """Return it as lines of a diff; the value of a secret is not shown."""
        return [
            f"{sign}{self.key}: {redact_value(self.key, value)}"
            for sign, value in (("-", self.old), ("+", self.value))
            if value is not None
        ]


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or could be better.

    Args:
        rule: Id, such as D5.
        severity: How grave.
        summary: One sentence.
        place: Stage, executor or key that it is about.
        evidence: Figures, and lines of logs.
        arithmetic: How the remedy's numbers come about.
        remedies: What to do, the best one first.
        changes: Keys to set for the first remedy that is one of configuration.
        effect: What to expect of it.
        facts: The figures for programs.
    """

    rule: str
    severity: Severity
    summary: str
    place: str = ""
    evidence: tuple[str, ...] = ()
    arithmetic: tuple[str, ...] = ()
    remedies: tuple[str, ...] = ()
    changes: tuple[ConfChange, ...] = ()
    effect: str = ""
    facts: tuple[tuple[str, Any], ...] = ()

    @property
    def docs(self) -> str:
        """The page that explains the rule."""
        return f"{DOCS}/{self.rule}.md"

    def redacted(self) -> Finding:
        """Return it without secrets in what logs and settings say."""
        return replace(
            self,
            summary=redact_text(self.summary),
            place=redact_text(self.place),
            evidence=tuple(map(redact_text, self.evidence)),
            arithmetic=tuple(map(redact_text, self.arithmetic)),
            remedies=tuple(map(redact_text, self.remedies)),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {
            "rule": self.rule,
            "severity": self.severity.label,
            "summary": self.summary,
            "place": self.place,
            "evidence": list(self.evidence),
            "arithmetic": list(self.arithmetic),
            "remedies": list(self.remedies),
            "changes": [
                {
                    "file": one.file,
                    "key": one.key,
                    "value": None if one.value is None else redact_value(one.key, one.value),
                    "old": None if one.old is None else redact_value(one.key, one.old),
                }
                for one in self.changes
            ],
            "effect": self.effect,
            "facts": dict(self.facts),
            "docs": self.docs,
        }


def ranked(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings without secrets, the gravest first, then by rule and place; the same one once."""
    unique = {(one.rule, one.place, one.summary): one for one in (finding.redacted() for finding in findings)}
    return sorted(unique.values(), key=lambda one: (-one.severity, one.rule[0], int(one.rule[1:]), one.place))


def worst(findings: Iterable[Finding]) -> Severity:
    """Return the gravest severity; INFO where there is none."""
    return max((finding.severity for finding in findings), default=Severity.INFO)
