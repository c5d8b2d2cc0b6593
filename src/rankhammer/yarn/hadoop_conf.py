"""What HADOOP_CONF_DIR says, read without a JVM."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

from rankhammer.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILES = ("core-site.xml", "hdfs-site.xml", "yarn-site.xml")
_SCHEDULER = "capacity-scheduler.xml"
_VARIABLE = re.compile(r"\$\{([^{}]+)\}")


def folders(environ: Mapping[str, str] = os.environ) -> list[Path]:
    """Return the folders that hold the cluster's configuration: YARN_CONF_DIR and HADOOP_CONF_DIR, each once."""
    named = [environ.get(name) for name in ("HADOOP_CONF_DIR", "YARN_CONF_DIR")]
    return list(dict.fromkeys(Path(folder) for folder in named if folder))


def require_folders() -> list[Path]:
    """Return the folders with the cluster's configuration.

    Raises:
        ClusterError: No variable names one, or what it names is not there.
    """
    found = folders()
    if not found:
        raise ClusterError(
            "Neither HADOOP_CONF_DIR nor YARN_CONF_DIR is set, so no cluster is known.",
            hint="export HADOOP_CONF_DIR=/etc/hadoop/conf (the folder with yarn-site.xml).",
        )
    for folder in found:
        if not any((folder / name).is_file() for name in FILES):
            raise ClusterError(
                f"{folder} holds no {', '.join(FILES)}.", hint="Let HADOOP_CONF_DIR name the folder with yarn-site.xml."
            )
    return found


def read(where: list[Path] | None = None) -> dict[str, str]:
    """Read a cluster's settings.

    Args:
        where: Folders, later ones win; those of the environment by default.

    Returns:
        Key to value, `${other.key}` replaced where that key is known.

    Raises:
        ClusterError: There is no configuration, or a file of it is no XML.
    """
    settings: dict[str, str] = {}
    for folder in require_folders() if where is None else where:
        for name in FILES:
            settings |= _read_file(folder / name)
    return {key: _expand(value, settings) for key, value in settings.items()}


def read_scheduler() -> dict[str, str]:
    """Read the scheduler's own file, which lies on few machines beside the ResourceManager's; else return nothing.

    Raises:
        ClusterError: It is no XML.
    """
    return {key: value for folder in folders() for key, value in _read_file(folder / _SCHEDULER).items()}


def _read_file(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    try:
        # The administrator's own file, which every Hadoop client of this machine trusts.
        root = ET.parse(file).getroot()
    except ET.ParseError as exc:
        raise ClusterError(f"{file} is no XML: {exc}.", hint="Copy it from the cluster again.") from exc
    rows = ((row.findtext("name", "").strip(), row.findtext("value", "").strip()) for row in root.iter("property"))
    return {name: value for name, value in rows if name}


def _expand(value: str, settings: Mapping[str, str]) -> str:
    """Replace variables; twenty times are Hadoop's own limit, too."""
    for _ in range(20):
        replaced = _VARIABLE.sub(lambda found: settings.get(found[1], found[0]), value)
        if replaced == value:
            break
        value = replaced
    return value
