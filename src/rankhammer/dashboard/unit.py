"""A service of systemd that keeps the dashboard running on a Linux host."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "rankhammer-dashboard.service"
PLACE = f"/etc/systemd/system/{NAME}"
_PLAIN = re.compile(r"[A-Za-z0-9_./:=@,+-]+")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
_LOW_PORT = 1024


@dataclass(frozen=True)
class Service:
    """What the unit starts.

    Args:
        program: Path of `rankhammer`.
        project: Folder of the project.
        user: Who runs it.
        state: Folder that it may write to: the token's file, and copies of results.
        port: Where it listens.
        arguments: Options of `rankhammer dashboard`, one text each.
        variables: For its environment, such as JAVA_HOME and HADOOP_CONF_DIR.
    """

    program: str
    project: str
    user: str
    state: str
    port: int
    arguments: Sequence[str] = ()
    variables: dict[str, str] = field(default_factory=dict)


def unit(service: Service, *, before: str = "") -> str:
    """Write the unit: it starts again after a failure, may write to one folder, and gains no rights.

    Args:
        service: What it starts.
        before: Command that root runs before each start; empty: none.

    Raises:
        ConfigError: The user cannot be one.
    """
    if not _USER.fullmatch(service.user):
        raise ConfigError(f"{service.user!r} cannot be a user.", hint="Name a user of this host: --user rankhammer.")
    command = " ".join(map(quoted, [service.program, "dashboard", *service.arguments]))
    variables = {"XDG_CACHE_HOME": f"{service.state}/cache", **service.variables}
    rights = ["CapabilityBoundingSet=", "AmbientCapabilities="]
    if service.port < _LOW_PORT:
        rights = [f"{line}CAP_NET_BIND_SERVICE" for line in rights]
    lines = [
        *(
            "[Unit]",
            "Description=Dashboard of Rankhammer",
            "After=network-online.target",
            "Wants=network-online.target",
            "",
        ),
        *("[Service]", f"User={service.user}", f"WorkingDirectory={quoted(service.project)}"),
        *([f"ExecStartPre=+{quoted(before)}"] if before else []),
        f"ExecStart={command}",
        *(f"Environment={quoted(f'{name}={value}')}" for name, value in sorted(variables.items())),
        *("Restart=on-failure", "RestartSec=5", "UMask=0077", "NoNewPrivileges=true", *rights),
        *("PrivateTmp=true", "PrivateDevices=true", "ProtectSystem=strict", "ProtectHome=read-only"),
        *("ProtectKernelTunables=true", "ProtectControlGroups=true", "RestrictSUIDSGID=true", "LockPersonality=true"),
        *("RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", f"ReadWritePaths={quoted(service.state)}"),
        *("", "[Install]", "WantedBy=multi-user.target", ""),
    ]
    return "\n".join(lines)


def quoted(text: str) -> str:
    """Write a text as systemd reads one: no sign of it means anything.

    Raises:
        ConfigError: It has a line break, which no quoting takes.
    """
    if not text.isprintable():
        raise ConfigError(f"{text!r} cannot stand in a unit of systemd.", hint="Use a path without control characters.")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if _PLAIN.fullmatch(text) else f'"{escaped}"'
