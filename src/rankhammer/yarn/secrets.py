"""Keys of S3 for a driver and executors on the cluster: in a file that only the submitter reads, and nowhere else.

Command lines are seen by `ps`, Spark's settings by its pages and event logs, a container's environment by its launch
script. A credential provider of Hadoop is a key store on HDFS, of which the settings name the path alone.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

NAMES = {
    "AWS_ACCESS_KEY_ID": "fs.s3a.access.key",
    "AWS_SECRET_ACCESS_KEY": "fs.s3a.secret.key",
    "AWS_SESSION_TOKEN": "fs.s3a.session.token",
}
"""Variables of the environment, and Hadoop's names for what they hold."""
PATH_KEY = "spark.hadoop.fs.s3a.security.credential.provider.path"
STORE_VARIABLE = "RANKHAMMER_KEY_STORE"
"""Where the driver finds the path of the file that it removes at its end."""
FOLDER = ".rankhammer/secrets"
_PRIVATE, _SUFFIX = "700", ".jceks"


def store(jvm: Any, conf: Any, name: str, environ: Mapping[str, str] = os.environ, *, folder: str | None = None) -> str:
    """Write the keys of the environment into a key store in the user's home on the cluster.

    Args:
        jvm: py4j's view of a JVM with Hadoop's client.
        conf: Its Hadoop configuration.
        name: Of the file; no two submissions have the same.
        environ: Variables; those of `NAMES` are read.
        folder: Where it is written; None for `FOLDER` in the user's home.

    Returns:
        URI of the file; empty where the environment holds no keys, and nodes have them by another way.
    """
    found = {key: environ[variable] for variable, key in NAMES.items() if environ.get(variable)}
    if not found:
        return ""
    hadoop = jvm.org.apache.hadoop
    place = _place(jvm, conf, folder)
    filesystem = place.getFileSystem(conf)
    filesystem.mkdirs(place)
    filesystem.setPermission(place, hadoop.fs.permission.FsPermission(_PRIVATE))
    target = filesystem.makeQualified(hadoop.fs.Path(place, f"{name}{_SUFFIX}"))
    own = hadoop.conf.Configuration(conf)
    own.set("hadoop.security.credential.provider.path", provider_path(str(target)))
    provider = hadoop.security.alias.CredentialProviderFactory.getProviders(own).get(0)
    for key, value in found.items():
        # A Java String would come back as a Python one; and `append` would take the first character of it.
        characters = jvm.java.io.CharArrayWriter()
        characters.write(value)
        provider.createCredentialEntry(key, characters.toCharArray())
    provider.flush()
    return str(target)


def provider_path(uri: str) -> str:
    """Return how Hadoop wants a key store's URI, such as jceks://hdfs@namenode:8020/user/shop/x.jceks."""
    parts = urlsplit(uri)
    return f"jceks://{parts.scheme}{'@' if parts.netloc else ''}{parts.netloc}{parts.path}"


def forget(jvm: Any, conf: Any, uri: str) -> None:
    """Remove a key store; nothing happens where there is none.

    Args:
        jvm: py4j's view of a JVM with Hadoop's client.
        conf: Its Hadoop configuration.
        uri: What `store` returned.
    """
    if uri:
        path = jvm.org.apache.hadoop.fs.Path(uri)
        path.getFileSystem(conf).delete(path, False)


def forget_left(jvm: Any, conf: Any, is_over: Callable[[str, float], bool], *, folder: str | None = None) -> int:
    """Remove the key stores that were left: whoever had to was killed, or HDFS took nothing at that time.

    Args:
        jvm: py4j's view of a JVM with Hadoop's client.
        conf: Its Hadoop configuration.
        is_over: Asked with a key store's name and its age in seconds whether nobody needs it any more.
        folder: As in `store`.

    Returns:
        How many were removed.
    """
    place = _place(jvm, conf, folder)
    filesystem, n_removed = place.getFileSystem(conf), 0
    if not filesystem.exists(place):
        return 0
    for file in filesystem.listStatus(place):
        name, age_s = str(file.getPath().getName()), time.time() - file.getModificationTime() / 1000
        if name.endswith(_SUFFIX) and is_over(name.removesuffix(_SUFFIX), age_s):
            n_removed += bool(filesystem.delete(file.getPath(), False))
    return n_removed


def _place(jvm: Any, conf: Any, folder: str | None) -> Any:
    hadoop = jvm.org.apache.hadoop.fs
    return hadoop.Path(folder) if folder else hadoop.Path(hadoop.FileSystem.get(conf).getHomeDirectory(), FOLDER)


def without_keys(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment for spark-submit, which would copy the keys into the settings that it uploads."""
    return {name: value for name, value in environ.items() if name not in NAMES}
