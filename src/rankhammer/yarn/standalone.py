"""A Python for other machines than this one: relocatable, from an archive, with packages that come as wheels for it.

The archive is one of python-build-standalone (`cpython-3.11.*-x86_64-unknown-linux-gnu-install_only.tar.gz`) or of its
form: a folder `python` with bin, include and lib, which needs nothing of the place where it is unpacked.
"""

from __future__ import annotations

import re
import struct
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rankhammer.digests import file_digest
from rankhammer.errors import ClusterError
from rankhammer.yarn.interpreter import LEFT_OUT, Interpreter

if TYPE_CHECKING:
    from collections.abc import Iterator

GLIBC = "2.28"
"""Of which manylinux the packages are, where nobody says: that of RHEL 8, Debian 10, Amazon Linux 2023."""
_COMMAND = re.compile(r"python/bin/python(3\.\d+)")
_VERSION = re.compile(rb'#define\s+PY_VERSION\s+"([\w.]+)"')
_MACHINES = {0x3E: "x86_64", 0xB7: "aarch64"}
_ELF, _LOADER = b"\x7fELF", b"/ld-linux"
_WHERE = "python-build-standalone publishes them: cpython-3.11.*-<machine>-unknown-linux-gnu-install_only.tar.gz."


@dataclass(frozen=True)
class Standalone:
    """A Python for the nodes.

    Args:
        archive: File with it.
        glibc: That the nodes have at least, such as 2.28.
    """

    archive: Path
    glibc: str = GLIBC

    def platform(self, machine: str) -> str:
        """Return the name that uv has for the nodes' platform."""
        return f"{machine}-manylinux_{self.glibc.replace('.', '_')}"


def read_standalone(archive: Path) -> Interpreter:
    """Say what a Python in an archive is; it is not started.

    Args:
        archive: File of it.

    Raises:
        ClusterError: It is no archive of that form, or one for another system than Linux with glibc.
    """
    try:
        with tarfile.open(archive) as opened:
            minor, command, version = _look(opened)
    except (OSError, tarfile.TarError, EOFError) as exc:
        raise ClusterError(f"python.standalone: {archive} cannot be read: {exc}", hint=_WHERE) from exc
    machine = _MACHINES.get(struct.unpack_from("<H", command, 18)[0], "") if command[:4] == _ELF else ""
    if not machine or _LOADER not in command or not version.startswith(f"{minor}."):
        said = "holds no python/bin/python3.N with its header files" if not command else "is for another system"
        raise ClusterError(f"python.standalone: {archive} {said}: nodes run Linux with glibc.", hint=_WHERE)
    return Interpreter(version, file_digest(archive), "Linux", machine, "glibc", "", "", "")


def _look(opened: tarfile.TarFile) -> tuple[str, bytes, str]:
    """Return (3.11, content of the command, 3.11.9) of an archive."""
    minor, command, version = "", b"", ""
    for member in opened:
        found = _COMMAND.fullmatch(member.name)
        if found and member.isfile():
            minor, command = found[1], _content(opened, member)
        elif re.fullmatch(r"python/include/python3\.\d+/patchlevel\.h", member.name):
            said = _VERSION.search(_content(opened, member))
            version = said[1].decode() if said else ""
    return minor, command, version


def _content(opened: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    content = opened.extractfile(member)
    return content.read() if content else b""


def unpack_standalone(archive: Path, target: Path) -> None:
    """Unpack a Python without its own packages, and without what no run needs.

    Args:
        archive: File of it.
        target: New folder.
    """
    with tarfile.open(archive) as opened:
        opened.extractall(target, members=_members(opened), filter="data")


def _members(opened: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    for member in opened:
        first, *rest = PurePosixPath(member.name).parts or ("",)
        # In the standard library alone: packages have modules of these names.
        is_useless = rest[:1] == ["lib"] and len(rest) > 2 and rest[2] in LEFT_OUT
        if first == "python" and rest and not is_useless and not member.isdev():
            # Links with a path of the archive are hard ones.
            link = member.linkname.removeprefix("python/") if member.islnk() else member.linkname
            yield member.replace(name="/".join(rest), linkname=link, deep=False)


def require_wheels_for(packages: Path, machine: str) -> None:
    """Refuse packages that were built by this machine for itself, because there is no wheel for the nodes.

    Args:
        packages: Folder that they were installed in.
        machine: Of the nodes.

    Raises:
        ClusterError: With their names.
    """
    wrong = sorted(
        file.parent.name.removesuffix(".dist-info")
        for file in packages.glob("*.dist-info/WHEEL")
        if not any(_is_for(tag, machine) for tag in re.findall(r"^Tag: (\S+)$", file.read_text(), re.MULTILINE))
    )
    if wrong:
        raise ClusterError(
            f"There is no wheel for the nodes (Linux, {machine}) of {', '.join(wrong)}.",
            hint="Leave them out (`python.without`), or build on a machine like the nodes.",
        )


def _is_for(tag: str, machine: str) -> bool:
    platform = tag.rpartition("-")[2]
    return platform == "any" or ("manylinux" in platform and platform.endswith(machine))


def compiler(minor: str) -> str | None:
    """Return a Python whose compiled modules are those of another one; None where this one is of another version."""
    return sys.executable if minor == f"{sys.version_info[0]}.{sys.version_info[1]}" else None
