"""Reads a configuration in the form in which people have it: a submit line, properties, EMR's JSON, flat YAML."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rankhammer_doctor.errors import DoctorError

SUBMIT, PROPERTIES, EMR, YAML = "spark-submit", "properties", "EMR", "YAML"
_OPTIONS = {
    "--master": "spark.master",
    "--deploy-mode": "spark.submit.deployMode",
    "--name": "spark.app.name",
    "--driver-memory": "spark.driver.memory",
    "--driver-cores": "spark.driver.cores",
    "--executor-memory": "spark.executor.memory",
    "--executor-cores": "spark.executor.cores",
    "--num-executors": "spark.executor.instances",
    "--total-executor-cores": "spark.cores.max",
    "--queue": "spark.yarn.queue",
    "--jars": "spark.jars",
    "--packages": "spark.jars.packages",
    "--exclude-packages": "spark.jars.excludes",
    "--repositories": "spark.jars.repositories",
    "--files": "spark.files",
    "--archives": "spark.archives",
    "--py-files": "spark.submit.pyFiles",
    "--principal": "spark.kerberos.principal",
    "--keytab": "spark.kerberos.keytab",
    "--driver-java-options": "spark.driver.extraJavaOptions",
    "--driver-library-path": "spark.driver.extraLibraryPath",
    "--driver-class-path": "spark.driver.extraClassPath",
}
_WITH_VALUE = {"--class", "--proxy-user", "--conf", "-c", "--properties-file", "--kill", "--status", "--remote"}
_COMMAND = re.compile(r"(?:^|[\s/])(spark-submit|pyspark|spark-shell|spark-sql)(?=\s|$)")
_LARGEST = 8 << 20
_HINT = "Name spark-defaults.conf, a YAML of flat Spark keys, an EMR Configurations JSON, or quote a spark-submit line."


@dataclass
class ConfSource:
    """A configuration.

    Args:
        kind: SUBMIT, PROPERTIES, EMR or YAML.
        conf: Flat Spark keys.
        site: Keys of yarn-site.xml, where the source has some.
        is_python: Whether the application is a Python program; None where nobody knows.
        file: Where it was read; None for a line.
        text: What was read.
        notes: What was passed over.
    """

    kind: str
    conf: dict[str, str]
    site: dict[str, str] = field(default_factory=dict)
    is_python: bool | None = None
    file: Path | None = None
    text: str = ""
    notes: list[str] = field(default_factory=list)


def read_conf(source: str) -> ConfSource:
    """Read a configuration.

    Args:
        source: A file, or a spark-submit line.

    Raises:
        DoctorError: It is none of the four.
    """
    if _COMMAND.search(source) and not Path(source).is_file():
        return _submit(source, None)
    file = Path(source).expanduser()
    try:
        if file.stat().st_size > _LARGEST:
            raise DoctorError(f"{file} is larger than {_LARGEST >> 20} MiB: no configuration.", hint=_HINT)
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise DoctorError(f"{source[:200]} cannot be read: {exc}", hint=_HINT) from exc
    found = parse_conf(text, file)
    found.file, found.text = file, text
    return found


def parse_conf(text: str, file: Path | None = None) -> ConfSource:
    """Find out what a text is, and read it.

    Args:
        text: Content of a file.
        file: Its path, whose ending helps.

    Raises:
        DoctorError: It is none of the four.
    """
    stripped = text.lstrip()
    ending = file.suffix if file else ""
    if ending == ".json" or stripped.startswith(("[", "{")):
        return _emr(text)
    if ending in (".yml", ".yaml"):
        return _yaml(text)
    if _COMMAND.search(_without_comments(text)) and "--" in text:
        return _submit(text, file)
    lines = [line for line in _without_comments(text).splitlines() if line.strip()]
    if lines and all(re.match(r"\s*[\"']?[\w.\-]+[\"']?:(\s|$)", line) for line in lines):
        return _yaml(text)
    return ConfSource(PROPERTIES, _properties(text))


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("#", "!")))


def _properties(text: str) -> dict[str, str]:
    """Read Java properties: key and value with blanks, = or : between them; a line may go on behind a backslash."""
    conf = {}
    joined = re.sub(r"\\\r?\n[ \t]*", "", text)
    for line in joined.splitlines():
        if not line.strip() or line.lstrip().startswith(("#", "!")):
            continue
        found = re.match(r"\s*([^\s=:]+)(?:\s*[=:]\s*|\s+|$)(.*)", line)
        if found is None or not re.fullmatch(r"[\w.\-$]+", found[1]):
            raise DoctorError(f"No line of properties: {line.strip()[:80]!r}.", hint=_HINT)
        conf[found[1]] = found[2].strip()
    return _require_spark(conf, "the properties")


def _yaml(text: str) -> ConfSource:
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as exc:
        raise DoctorError(f"The YAML cannot be read: {str(exc).splitlines()[0]}", hint=_HINT) from exc
    if not isinstance(values, dict):
        raise DoctorError("The YAML holds no keys with values.", hint=_HINT)
    return ConfSource(YAML, _require_spark(flat(values), "the YAML"))


def flat(values: dict[Any, Any], prefix: str = "") -> dict[str, str]:
    """Return nested keys as flat ones, with texts as values; null takes a key away.

    Args:
        values: Nested, or flat already.
        prefix: What stands before each key.

    Raises:
        DoctorError: A value is a list.
    """
    found: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, list):
            raise DoctorError(f"{name} is a list.", hint="Spark's keys hold texts, numbers, true or false.")
        if isinstance(value, dict):
            found |= flat(value, f"{name}.")
            continue
        given = {name: str(value).lower() if isinstance(value, bool) else str(value)}
        found |= {} if value is None else given
    return found


def _require_spark(conf: dict[str, str], what: str) -> dict[str, str]:
    if not any(key.startswith("spark.") for key in conf):
        raise DoctorError(f"Not one key of {what} begins with spark.", hint=_HINT)
    return conf


def _emr(text: str) -> ConfSource:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise DoctorError(f"The JSON cannot be read: {exc}", hint=_HINT) from exc
    if isinstance(values, dict) and any(str(key).startswith("spark.") for key in values):
        return ConfSource(YAML, flat(values))
    listed = values.get("Configurations", [values]) if isinstance(values, dict) else values
    found = ConfSource(EMR, {})
    seen = _classified(listed, found)
    if not seen:
        raise DoctorError("The JSON holds no classification of EMR.", hint=_HINT)
    return found


def _classified(listed: Any, found: ConfSource) -> int:
    seen = 0
    for entry in listed if isinstance(listed, list) else []:
        name = entry.get("Classification") or entry.get("classification") if isinstance(entry, dict) else None
        if not name:
            continue
        seen += 1
        properties = flat(entry.get("Properties") or entry.get("properties") or {})
        found.conf |= properties if name == "spark-defaults" else {}
        found.site |= properties if name == "yarn-site" else {}
        if name == "spark" and properties.get("maximizeResourceAllocation") == "true":
            found.notes.append("maximizeResourceAllocation: EMR makes one executor that fills a node")
        seen += _classified(entry.get("Configurations") or entry.get("configurations"), found)
    return seen


def _submit(text: str, file: Path | None) -> ConfSource:
    try:
        words = shlex.split(re.sub(r"\\\r?\n", " ", text), comments=True)
    except ValueError as exc:
        raise DoctorError(f"The line cannot be read: {exc}.", hint="Close its quotes.") from exc
    start = next((place for place, word in enumerate(words) if _COMMAND.search(f" {word}")), 0)
    return _options(words[start + 1 :], file)


def _options(words: list[str], file: Path | None) -> ConfSource:
    found, base = ConfSource(SUBMIT, {}), dict[str, str]()
    left = list(words)
    while left:
        word = left.pop(0)
        name, has_value, value = word.partition("=")
        if not word.startswith("-"):
            found.is_python = word.endswith(".py")
            break
        if name in _OPTIONS or name in _WITH_VALUE:
            given = value if has_value else left.pop(0) if left else ""
            _set(name, given, found.conf, base, file)
        elif name not in ("--verbose", "-v", "--supervise", "--help", "--version"):
            found.notes.append(f"unknown option {name}")
    found.conf = {**base, **found.conf}
    return found


def _set(name: str, value: str, conf: dict[str, str], base: dict[str, str], file: Path | None) -> None:
    if name in _OPTIONS:
        # A flag wins over --conf.
        conf[_OPTIONS[name]] = value
        return
    if name in ("--conf", "-c"):
        key, has_value, text = value.partition("=")
        if not has_value:
            raise DoctorError(f"--conf {value[:60]} has no value.", hint="Write --conf key=value.")
        is_flag_too = key in _OPTIONS.values() and key in conf
        conf[key] = conf[key] if is_flag_too else text
        return
    place = (file.parent if file else Path()) / value
    if name == "--properties-file" and place.is_file():
        base.update(_properties(place.read_text()))
