"""How packages are fetched: by uv, under the settings that pip has of index, mirror and certificates.

Only the standard library is used here, because the set-up asks before anything is installed.
"""

from __future__ import annotations

import ast
import os
import subprocess

UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}
"""pip's settings of where and how to download, and uv's names for them: uv does not read pip's."""


def pip_settings(pip: list[str]) -> str:
    """Ask pip for its configuration: files and environment variables, one setting a line.

    Args:
        pip: Command that starts it.
    """
    return subprocess.run([*pip, "config", "list"], capture_output=True, text=True, check=False).stdout


def uv_settings(lines: str) -> dict[str, str]:
    """Translate pip's configuration for uv, so that a mirror configured for pip serves both.

    Args:
        lines: What `pip_settings` returned, such as `global.index-url='...'`; later lines win.
    """
    settings = {}
    for line in lines.splitlines():
        name, _, value = line.partition("=")
        uv_name = UV_NAMES.get(name.rpartition(".")[2])
        if uv_name:
            settings[uv_name] = " ".join(ast.literal_eval(value).split())
    return settings


def uv_environment(pip: list[str]) -> dict[str, str]:
    """Return the environment for uv: pip's settings, under what uv's own variables and the proxy's say.

    Args:
        pip: Command that starts pip.
    """
    return {"UV_HTTP_TIMEOUT": "300", **uv_settings(pip_settings(pip)), **os.environ}
