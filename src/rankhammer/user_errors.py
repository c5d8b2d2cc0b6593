"""Ends errors that a user can cure with a message and exit code 2 instead of a traceback."""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING

import click

from rankhammer import errors
from rankhammer.errors import ConfigError, RankhammerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

USER_ERROR = 2
_NO_SUCH_NODES = ("Pipeline does not contain", "Pipeline contains no nodes")
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOSPC)
_FROM_WORKER = re.compile(r"^rankhammer\.errors\.(\w+): (.*(?:\nHint: .*)?)", re.MULTILINE)


def guarded(action: Callable[[], None]) -> int:
    """Do something and turn the errors that a user can cure into a message.

    Returns:
        0, or 2 after a message on stderr. Every other error is raised as it is.
    """
    try:
        action()
    except Exception as exc:
        cause = user_error(exc)
        if cause is None:
            raise
        click.secho(f"Error: {cause}", fg="red", err=True)
        return USER_ERROR
    return 0


def exit_code(action: Callable[[], int]) -> int:
    """Do something that ends with an exit code, guarded.

    Returns:
        Its exit code, or 2 after a message on stderr.
    """
    codes: list[int] = []
    return guarded(lambda: codes.append(action())) or codes[0]


def user_error(error: BaseException) -> RankhammerError | None:
    """Find the error of ours behind one of Kedro's or Spark's, or say in our words what Kedro refused.

    Args:
        error: What a run ended with.

    Returns:
        The error to show, or None where a traceback is the right answer.
    """
    for cause in _chain(error):
        if isinstance(cause, RankhammerError):
            return cause
        told = _FROM_WORKER.search(str(cause))
        if told and hasattr(errors, told[1]):
            message, _, hint = told[2].partition("\nHint: ")
            kind: type[RankhammerError] = getattr(errors, told[1])
            return kind(message, hint=hint)
    return _refused_by_kedro(error) or _refused_by_disk(error)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _refused_by_kedro(error: BaseException) -> RankhammerError | None:
    from kedro.config import MissingConfigException
    from kedro.validation import ParameterValidationError

    if isinstance(error, ParameterValidationError):
        return ConfigError(str(error), hint="Correct conf/<env>/parameters; every key is described in conf/base.")
    if isinstance(error, MissingConfigException):
        return ConfigError(str(error), hint="Environments are the folders of conf/.")
    if isinstance(error, ValueError) and str(error).startswith(_NO_SUCH_NODES):
        return ConfigError(str(error), hint="`kedro registry describe` lists the nodes.")
    return None


def _refused_by_disk(error: BaseException) -> RankhammerError | None:
    for cause in _chain(error):
        told = _hadoop_refusal(cause)
        if told or (isinstance(cause, OSError) and cause.errno in _NOT_WRITABLE):
            hint = "Correct the path in conf/<env>/globals.yml, its permissions, or free some space there."
            return ConfigError(told or str(cause), hint=hint)
    return None


def _hadoop_refusal(error: BaseException) -> str:
    """Return what Hadoop's own filesystem said; what a Spark job ended with has another type."""
    from py4j.java_gateway import is_instance_of
    from py4j.protocol import Py4JJavaError
    from pyspark import SparkContext

    if not isinstance(error, Py4JJavaError):
        return ""
    thrown = error.java_exception
    # The JVM's own, since a filesystem is opened by it before there is a session.
    is_refusal = is_instance_of(SparkContext._gateway, thrown, "java.io.IOException")
    return str(thrown.toString()) if is_refusal else ""
