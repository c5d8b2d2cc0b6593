"""Sentences by which Spark, YARN, the JVM and Python say what went wrong; old and new wordings."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_SENTENCES = {
    "D1": (
        r"exceeding (?:physical )?memory limits|beyond physical memory limits|beyond the 'PHYSICAL' memory limit"
        r"|OOMKilled|possible container OOM|Memory cgroup out of memory"
    ),
    "D2": r"exceeding virtual memory limits|beyond virtual memory limits|beyond the 'VIRTUAL' memory limit",
    "D3": r"otal size of serialized results of \d+ tasks",
    "D4": (
        r"Connection reset by peer|Executor heartbeat timed out|Failed to connect to|RpcTimeoutException"
        r"|Futures timed out after|Connection timed out|no heartbeats"
    ),
    "D7": (
        # Not the option of that name, which stands in the command line of every executor on YARN.
        r"(?<!On)OutOfMemoryError|GC overhead limit exceeded|Java heap space|Unable to acquire \d+ bytes of memory"
        r"|SparkOutOfMemoryError|UNABLE_TO_ACQUIRE_MEMORY"
    ),
    "D8": r"a task of very large size|Broadcasting large task binary with size",
    "D11": r"SPARK-24942|SPARK-24819|SPARK-24817|SPARK-24818|Barrier stage in job \d+ requires \d+ slots, but only",
    "D12": r"Initial job has not accepted any resources",
    "D13": (
        r"Python worker exited unexpectedly|Python worker \w+ (?:crashed|died)|Fatal Python error|\bMemoryError\b"
        r"|ArrayMemoryError|std::bad_alloc"
    ),
    "D14": r"Max number of executor failures",
    "D15": r"Could not execute broadcast in|EXECUTE_BROADCAST_TIMEOUT",
    "D16": (
        r"BlockMissingException|Could not obtain block|MetadataFetchFailed|FetchFailed|Missing an output location"
        r"|Could not find valid location to read|CANNOT_LOCATE_SHUFFLE"
    ),
    "D24": r"Not enough space to cache rdd_\d+_\d+",
    "D25": r"No space left on device|DiskErrorException|All local.dirs are bad|local-dirs usable space is below",
    "S3": r"Required (?:executor|AM) memory .* above the max threshold|is above the max threshold .* of this cluster",
    "S12": r"spark\.network\.timeout=\S+ must be (?:no less than|greater than)",
    "S23": r"either HADOOP_CONF_DIR or YARN_CONF_DIR must be set",
    "S24": r"UnsupportedClassVersionError",
    "S22": r"Python in worker has different version|PYTHON_VERSION_MISMATCH",
}
SENTENCES = {rule: re.compile(pattern) for rule, pattern in _SENTENCES.items()}
_ANY_BYTES = re.compile("|".join(f"(?:{pattern})" for pattern in _SENTENCES.values()).encode())
HINTS = (
    b"emory limit", b"OOM", b"out of memory", b"serialized results of", b"Connection ", b"heartbeat",
    b"Failed to connect to", b"TimeoutException", b"Futures timed out", b"OutOfMemoryError", b"GC overhead",
    b"Java heap space", b"Unable to acquire", b"UNABLE_TO_ACQUIRE_MEMORY", b"of very large size",
    b"large task binary", b"SPARK-24", b"Barrier stage in job", b"Initial job", b"Python worker",
    b"Fatal Python error", b"MemoryError", b"std::bad_alloc", b"executor failures", b"execute broadcast",
    b"EXECUTE_BROADCAST", b"BlockMissing", b"Could not obtain block", b"FetchFailed", b"Missing an output location",
    b"valid location to read", b"CANNOT_LOCATE_SHUFFLE", b"Not enough space to cache", b"No space left",
    b"DiskErrorException", b"dirs are bad", b"local-dirs", b"max threshold", b"spark.network.timeout=",
    b"either HADOOP_CONF_DIR", b"UnsupportedClassVersionError", b"Python in worker", b"PYTHON_VERSION_MISMATCH",
)  # fmt: skip
"""Of each sentence a part without variables: to look for these takes a fifth of the time of the expressions."""


def is_telling(line: bytes) -> bool:
    """Say whether a line of a log is worth a closer look."""
    return any(hint in line for hint in HINTS) and _ANY_BYTES.search(line) is not None


_BENIGN_REMOVAL = re.compile(
    r"(?i)explicit termination request|killed by driver|driver requested|idle for|was idle|exit(?:ed)? with code 0\b"
    r"|exit(?:ed| code| status)?:? 0\b|decommission|released by application|application (?:has )?(?:finished|ended)"
    r"|requested by driver|finished gracefully|deleted by a user or the framework"
    r"|sparkcontext (?:was )?(?:stopped|shut)|shutting down"
)
_BENIGN_LOG = re.compile(
    r"(?i)shutdown hook called|sparkcontext is stopping|successfully stopped sparkcontext|asked to shut ?down"
    r"|received signal term|driver commanded a shutdown|stopped spark@|final app status"
)
_PREEMPTED = re.compile(r"(?i)preempt|spot instance|\*?lost\*? node|node .*(?:unhealthy|lost)")
_KEPT = 5
_SHOWN = 300


@dataclass
class Symptom:
    """Everything that was said of one rule.

    Args:
        rule: Its id.
        lines: Some of the sentences, with where they stand.
        count: How many there were.
        executors: Executors that they are about.
        places: Files, stages or jobs that said so.
    """

    rule: str
    lines: list[str] = field(default_factory=list)
    count: int = 0
    executors: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    texts: list[str] = field(default_factory=list)


class Symptoms:
    """Symptoms by rule."""

    def __init__(self) -> None:
        self._found: dict[str, Symptom] = {}

    def take(self, text: str, place: str, *, count: int = 1, executor: str = "") -> bool:
        """Look for every sentence in a text.

        Args:
            text: What was said.
            place: Who said it.
            count: How often.
            executor: Executor that it is about, where it is known.

        Returns:
            Whether one was found.
        """
        rules = [rule for rule, pattern in SENTENCES.items() if pattern.search(text)]
        for rule in _most_telling(rules):
            self._add(rule, text, place, count, executor)
        return bool(rules)

    def _add(self, rule: str, text: str, place: str, count: int, executor: str) -> None:
        symptom = self._found.setdefault(rule, Symptom(rule))
        symptom.count += count
        symptom.places.add(place)
        if executor:
            symptom.executors.add(executor)
        if len(symptom.texts) < _KEPT:
            found = SENTENCES[rule].search(text)
            start = text.rfind("\n", 0, found.start()) + 1 if found else 0
            line = text[start:].partition("\n")[0].strip()
            if len(line) > _SHOWN and found:
                line = "..." + text[max(start, found.start() - 60) :][:_SHOWN]
            entry = f"{place}: {line}"
            if entry not in symptom.lines:
                symptom.lines.append(entry)
                symptom.texts.append(text)

    def get(self, rule: str) -> Symptom | None:
        """Return what was said of a rule, or None."""
        return self._found.get(rule)

    def __contains__(self, rule: str) -> bool:
        return rule in self._found


def _most_telling(rules: list[str]) -> list[str]:
    """Leave out what only follows: a fetch fails because its executor was killed, a connection breaks likewise."""
    causes = [rule for rule in rules if rule not in ("D4", "D16")]
    return causes or (["D16"] if "D16" in rules else rules)


def is_benign_removal(reason: str) -> bool:
    """Say whether an executor left because it was no longer needed."""
    return not reason.strip() or bool(_BENIGN_REMOVAL.search(reason))


def is_cancellation(failure: str) -> bool:
    """Say whether a job ended because somebody cancelled it, or closed the session."""
    return "cancelled" in failure.partition("\n")[0].lower()


def is_preemption(reason: str) -> bool:
    """Say whether an executor was taken away by the cluster: no fault of the application."""
    return bool(_PREEMPTED.search(reason))


def ends_a_process(line: str) -> bool:
    """Say whether a line of a log tells that its process is being shut down: what follows is noise."""
    return bool(_BENIGN_LOG.search(line))
