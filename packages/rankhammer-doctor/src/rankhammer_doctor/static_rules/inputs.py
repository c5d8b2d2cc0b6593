"""Reads a configuration in the form in which people have it: a submit line, properties, EMR's JSON, flat YAML."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from rankhammer_doctor.errors import DoctorError

if TYPE_CHECKING:
    from collections.abc import Iterator

SUBMIT, PROPERTIES, EMR, YAML = "spark-submit", "properties", "EMR", "YAML"
OPTIONS = {
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
"""Flags of spark-submit, and the keys that they set."""
EMR_DEFAULTS = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": "hdfs:///var/log/spark/apps"}
"""What EMR sets where nobody does, as far as rules look at it."""
_WITH_VALUE = {"--class", "--proxy-user", "--conf", "-c", "--properties-file", "--kill", "--status", "--remote"}
_COMMAND = re.compile(r"(?:^|[\s/])(spark\d?-(?:submit|shell|sql)|pyspark\d?)(?=\s|$)")
_LARGEST = 8 << 20
_HINT = "Name spark-defaults.conf, a YAML of flat Spark keys, an EMR Configurations JSON, or quote a spark-submit line."


@dataclass
class ConfSource:
    """A configuration.

    Args:
        kind: SUBMIT, PROPERTIES, EMR or YAML.
        conf: Flat Spark keys.
        defaults: What the platform sets where the source does not.
        site: Keys of yarn-site.xml and capacity-scheduler.xml, where the source has some.
        is_python: Whether the application is a Python program; None where nobody knows.
        file: Where it was read; None for a line.
        text: What was read.
        notes: What was passed over.
    """

    kind: str
    conf: dict[str, str]
    defaults: dict[str, str] = field(default_factory=dict)
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
    if _COMMAND.search(source) and not _is_file(source):
        return _submit(source, None)
    file = Path(source).expanduser()
    try:
        if file.stat().st_size > _LARGEST:
            raise DoctorError(f"{file} is larger than {_LARGEST >> 20} MiB: no configuration.", hint=_HINT)
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as exc:
        raise DoctorError(f"{source[:200]} cannot be read: {exc}", hint=_HINT) from exc
    found = parse_conf(text, file)
    found.file, found.text = file, text
    return found


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except (OSError, ValueError):
        # Longer than a name can be, or with a character that none has.
        return False


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
    if ending in (".yml", ".yaml"):
        return _yaml(text)
    if ending == ".json" or stripped.startswith(("[", "{")):
        return _emr(text)
    if _COMMAND.search(_without_comments(text)) and "--" in text:
        return _submit(text, file)
    lines = [line for line in _without_comments(text).splitlines() if line.strip()]
    if lines and all(re.match(r"\s*[\"']?[\w.\-]+[\"']?:(\s|$)", line) for line in lines):
        return _yaml(text)
    found = ConfSource(PROPERTIES, {})
    found.conf = _properties(text, found.notes)
    return found


def _without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith(("#", "!")))


def _properties(text: str, notes: list[str]) -> dict[str, str]:
    """Read Java properties: key and value with blanks, = or : between them; a line may go on behind a backslash."""
    conf: dict[str, str] = {}
    joined = re.sub(r"\\\r?\n[ \t]*", "", text)
    for line in joined.splitlines():
        if not line.strip() or line.lstrip().startswith(("#", "!")):
            continue
        found = re.match(r"\s*([^\s=:]+)(?:\s*[=:]\s*|\s+|$)(.*)", line)
        if found is None or not re.fullmatch(r"[\w.\-$]+", found[1]):
            raise DoctorError(f"No line of properties: {line.strip()[:80]!r}.", hint=_HINT)
        if conf.get(found[1], found[2].strip()) != found[2].strip():
            notes.append(f"{found[1]} stands there more than once: the last value counts")
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
    found = ConfSource(EMR, {}, EMR_DEFAULTS)
    flags = list(_flags(values))
    if not _classified(values, found) and not flags:
        raise DoctorError("The JSON holds no classification of EMR.", hint=_HINT)
    for line in flags:
        # A job's own flags win over its application's settings.
        found.conf |= _submit(f"spark-submit {line}", None).conf
    return found


def _flags(value: Any) -> Iterator[str]:
    """Yield the flags of jobs (`sparkSubmitParameters`), wherever they stand."""
    for key, one in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if str(key).lower() == "sparksubmitparameters" and isinstance(one, str):
            yield one
        else:
            yield from _flags(one)


def _classified(value: Any, found: ConfSource) -> int:
    """Take all classifications, wherever they stand: a list of them, a cluster's request, a job's overrides.

    Returns:
        How many there are.
    """
    if isinstance(value, list):
        return sum(_classified(one, found) for one in value)
    if not isinstance(value, dict):
        return 0
    names = {str(key).lower(): key for key in value}
    seen = 0
    if "classification" in names:
        seen = 1
        _take(value, names, found)
    return seen + sum(_classified(one, found) for one in value.values())


def _take(entry: dict[Any, Any], names: dict[str, Any], found: ConfSource) -> None:
    name = str(entry[names["classification"]])
    given = entry.get(names.get("properties", names.get("configurationproperties", "")))
    if given is not None and not isinstance(given, dict):
        raise DoctorError(f"The properties of {name[:60]} are no keys with values.", hint=_HINT)
    properties = flat(given or {})
    found.conf |= properties if name == "spark-defaults" else {}
    found.site |= properties if name in ("yarn-site", "capacity-scheduler") else {}
    if name == "spark" and properties.get("maximizeResourceAllocation") == "true":
        found.notes.append("maximizeResourceAllocation: EMR makes one executor that fills a node")


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
        if name in OPTIONS or name in _WITH_VALUE:
            given = value if has_value else left.pop(0) if left else ""
            _set(name, given, found, base, file)
        elif name not in ("--verbose", "-v", "--supervise", "--help", "--version"):
            found.notes.append(f"unknown option {name}")
    found.conf = {**base, **found.conf}
    return found


def _set(name: str, value: str, found: ConfSource, base: dict[str, str], file: Path | None) -> None:
    conf, notes = found.conf, found.notes
    if name in OPTIONS:
        # A flag wins over --conf.
        conf[OPTIONS[name]] = value
        return
    if name in ("--conf", "-c"):
        key, has_value, text = value.partition("=")
        if not has_value:
            raise DoctorError(f"--conf {value[:60]} has no value.", hint="Write --conf key=value.")
        is_flag_too = key in OPTIONS.values() and key in conf
        conf[key] = conf[key] if is_flag_too else text
        return
    if name == "--properties-file":
        base.update(_properties_file((file.parent if file else Path()) / value, notes))


def _properties_file(place: Path, notes: list[str]) -> dict[str, str]:
    try:
        return _properties(place.read_text(encoding="utf-8-sig"), notes)
    except (OSError, ValueError):
        notes.append(f"{place} cannot be read: its settings are not known")
        return {}
