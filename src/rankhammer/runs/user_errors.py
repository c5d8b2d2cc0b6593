"""Ends errors of the user and of the machine with a message and exit code 2 instead of a traceback."""

from __future__ import annotations

import errno
import inspect
import logging
import os
import re
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rankhammer import errors
from rankhammer.datasets.handoff import MARKER
from rankhammer.errors import ClusterError, ConfigError, DataError, RankhammerError, did_you_mean, not_in_a_project
from rankhammer.exit_codes import FAILURE, INTERRUPTED, USER_ERROR
from rankhammer.runs.file_size_limit import too_large
from rankhammer.runs.logging_config import refused_logging
from rankhammer.spark import error_translation
from rankhammer.storage.base import split_scheme, storage_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

GO_ON = "`kedro run --only-missing-outputs` continues with what is finished"
"""What to type after a run that did not end."""
_FULL = ("No space left on device", "Disk quota exceeded", "File too large")
_NOT_WRITABLE = {
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EIO,
}
_FULL_LINE = re.compile(rf"^.*(?:{'|'.join(_FULL)}|Read-only file system).*$", re.MULTILINE)
_UNREADABLE = re.compile(r"\[FAILED_READ_FILE[.\w]*\] Encountered error while reading file (.+?)\.\s+(?:\S+ )?SQLSTATE")
_REASON = re.compile(r"^Caused by: [\w.$]+: (.+)$", re.MULTILINE)
_LEVELS = 3
"""Folders between a hand-off's marker and its files at most: its partitions."""


def machine_failure(chain: Sequence[BaseException]) -> RankhammerError | None:
    """Say what failed, where it was a disk or the limit of file sizes.

    Args:
        chain: An error, and what it was raised from.
    """
    return too_large(chain) or _handoff_damaged(chain) or _disk_refused(chain)


def spark_gone(chain: Sequence[BaseException]) -> ClusterError | None:
    """Say that Spark's JVM has ended, where an error followed from that.

    Args:
        chain: As for `machine_failure`.
    """
    from py4j.protocol import Py4JNetworkError
    from pyspark import SparkContext

    if not any(isinstance(cause, Py4JNetworkError | ConnectionError | EOFError) for cause in chain):
        return None
    process = getattr(SparkContext._gateway, "proc", None)
    code = process.poll() if process is not None else None
    if process is None or code is None:
        return None
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
    return ClusterError(
        f"Spark died: its JVM (process {process.pid}) {how} while it was needed.",
        hint="Where nobody ended it, the machine had too little memory (`dmesg` says so): free some, or lower "
        f"spark.driver.memory in conf/<env>/spark.yml. {GO_ON}.",
        code=code,
    )


def _disk_refused(chain: Sequence[BaseException]) -> ConfigError | None:
    for cause in chain:
        is_link = isinstance(cause, FileNotFoundError) and os.path.islink(str(cause.filename))
        if is_link or (isinstance(cause, OSError) and cause.errno in _NOT_WRITABLE and not _is_of_network(cause)):
            return _refusal(str(cause))
    lines = [found[0].strip() for cause in chain if _is_from_jvm(cause) and (found := _FULL_LINE.search(str(cause)))]
    return _refusal(f"Spark could not write: {lines[-1].removeprefix('Caused by: ')}") if lines else None


def _is_of_network(error: OSError) -> bool:
    return isinstance(error, ConnectionError | TimeoutError)


def _is_from_jvm(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in ("py4j", "pyspark")


def _refusal(message: str) -> ConfigError:
    if any(word in message for word in _FULL):
        scratch = "where Spark keeps what it sorts (spark.local.dir, else the temporary folder)"
        hint = f"Free some space below `paths` of conf/<env>/globals.yml and {scratch}; {GO_ON}."
        return ConfigError(f"A disk is full: {message}", hint=hint)
    return ConfigError(message, hint="Correct the path in conf/<env>/globals.yml, or its permissions.")


def _handoff_damaged(chain: Sequence[BaseException]) -> DataError | None:
    """Name the hand-off that Spark could not read; its marker cannot notice what leaves sizes and times as they are."""
    for text in (str(cause) for cause in chain if _is_from_jvm(cause)):
        found = _UNREADABLE.search(text)
        folder = _handoff_of(found[1]) if found else ""
        if found and folder:
            reason = _REASON.findall(text)
            return DataError(
                f"Hand-off {folder} is damaged: {found[1]} cannot be read ({reason[-1] if reason else 'no reason'}).",
                hint=f"Remove {folder}; then {GO_ON}. `rankhammer handoffs --verify` finds all that is damaged.",
                path=found[1],
            )
    return None


def _handoff_of(file: str) -> str:
    """Return the folder above a file that has a marker; empty where none has, so for an input."""
    prefix, path = split_scheme(file)
    for _ in range(_LEVELS):
        path = path.rpartition("/")[0]
        # Above the uppermost folder there is none: its name alone would be taken for the working directory.
        if path and storage_for(prefix + path).exists(f"{prefix}{path}/{MARKER}"):
            return prefix + path
    return ""


_ENDED = "Code that was called ended the process (SystemExit: {}) before the work was done."
_NO_SUCH_NODES = ("Pipeline does not contain", "Pipeline contains no nodes")
_NODE_FAILED = "Node %s failed with error: \n%s"
"""What Kedro logs."""
_NOTHING_RAN, _NOT_RUN = "No nodes ran.", re.compile(r"There are (\d+) nodes that have not run\.")
"""How it begins what it says after a run that failed."""
_ENTRY = "An exception occurred when parsing config for dataset '"
"""How Kedro begins to tell of an entry of the catalog."""
_WRONG_ENTRY = re.compile(
    r"Catalog entry '([^']*)' (is not a valid dataset configuration)"
    r"|Invalid validator declaration for dataset '([^']*)': ([^\n]*)"
)
"""What Kedro says of an entry that is no map of options, and of its `validator`."""
_LONGEST_REFUSAL = 200
_UNKNOWN_OPTION = re.compile(r"unexpected keyword argument '(\w+)'")
_DATASET_CLASS = re.compile(r"Dataset '([^']*)' must only contain arguments valid for the constructor of '([\w.]+)'")
_ABOUT_TYPE = re.compile(r"[Cc]lass |module name|dataset path|not found in")
_FROM_WORKER = re.compile(r"^rankhammer\.errors\.(\w+): (.*(?:\nHint: .*)?)", re.MULTILINE)


def report_user_errors(action: Callable[[], None]) -> int:
    """Do something and turn the errors that a user can fix into a message.

    Returns:
        0, 2 after a message on stderr, or 1 after one that names the file with Spark's trace. Every other error is
        raised as it is.
    """
    # A function counts once, however often it is added.
    logging.getLogger("kedro.pipeline.node").addFilter(_names_the_node)
    logging.getLogger("kedro.validation.parameter_validator").addFilter(_is_no_error)
    logging.getLogger("kedro.runner.sequential_runner").addFilter(_says_how_to_go_on)
    try:
        action()
    except SystemExit as exc:
        # A plugin's, or a library's: the action was not done, whatever code it had in mind.
        hint = "See which plugin calls sys.exit; `rankhammer plugins` lists them."
        click.secho(f"Error: {_ENDED.format(exc.code)}\nHint: {hint}", fg="red", err=True)
        return USER_ERROR
    except Exception as exc:
        if any(isinstance(one, KeyboardInterrupt) for one in _chain(exc)):
            # Ctrl-C while Spark was asked something: the call that it interrupted is not what ended the run.
            raise KeyboardInterrupt from exc
        cause = user_error(exc)
        if cause is None:
            if not _is_of_spark(exc):
                raise
            _say_where_the_trace_is(exc)
            return FAILURE
        click.secho(f"Error: {cause}", fg="red", err=True)
        return USER_ERROR
    return 0


def exit_code(action: Callable[[], int], *, when_interrupted: str = "") -> int:
    """Do something that ends with an exit code, guarded.

    Args:
        action: What to do.
        when_interrupted: What is left after Ctrl-C, and how to go on.

    Returns:
        Its exit code, or that of `report_user_errors` after a message on stderr; 130 after Ctrl-C and one line.
    """
    codes: list[int] = []
    try:
        return report_user_errors(lambda: codes.append(action())) or codes[0]
    except KeyboardInterrupt:
        return interrupted(when_interrupted)
    finally:
        _keep_exit_code()


def interrupted(what_is_left: str = "") -> int:
    """Say in one line that Ctrl-C was heard.

    Args:
        what_is_left: What stays, and how to go on.

    Returns:
        The exit code for it.
    """
    _keep_exit_code()
    click.secho(f"Interrupted. {what_is_left}".strip(), fg="red", err=True)
    return INTERRUPTED


def _keep_exit_code() -> None:
    """Let Python end with the exit code that it is given, also after Ctrl-C in code that was made of text.

    Python remembers that an interrupt came out of text which it ran (dataclasses and named tuples are made of such, so
    every import may run some), and ends by that signal whoever has caught the interrupt. The next text that ends well
    makes it forget.
    """
    eval("0")


def user_error(error: BaseException) -> RankhammerError | None:
    """Find the error of ours behind one of Kedro's or Spark's, or say in our words what Kedro refused.

    Args:
        error: What a run ended with.

    Returns:
        The error to show, or None where a traceback is the right answer.
    """
    chain = list(_chain(error))
    gone = _spark_gone(chain)
    if gone is not None:
        # Whatever else is said follows from it.
        return gone
    for cause in chain:
        if isinstance(cause, RankhammerError):
            return cause
        found = _FROM_WORKER.search(str(cause))
        if found and hasattr(errors, found[1]):
            message, _, hint = found[2].partition("\nHint: ")
            kind: type[RankhammerError] = getattr(errors, found[1])
            return kind(message, hint=hint)
    return (
        refused_logging(chain)
        or _refused_by_kedro(error)
        or _machine_failure(chain)
        or error_translation.translate(chain)
        or _refused_by_hadoop(chain)
    )


def _names_the_node(record: logging.LogRecord) -> bool:
    """Let Kedro say which node failed, and leave its error, hundreds of lines where it is Spark's, out."""
    if record.msg == _NODE_FAILED and record.args:
        record.msg, record.args = "Node %s failed", (str(record.args[0]).partition(":")[0],)  # type: ignore[index]
    return True


def _says_how_to_go_on(record: logging.LogRecord) -> bool:
    """Put our way to go on in the place of Kedro's; where nothing has run, there is nothing to go on from."""
    if str(record.msg).startswith(_NOTHING_RAN):
        return False
    if found := _NOT_RUN.match(str(record.msg)):
        record.msg = f"{found[1]} nodes have not run. Once the fault is cured, {GO_ON}."
    return True


def _is_no_error(record: logging.LogRecord) -> bool:
    """Leave errors that are raised right after to `report_user_errors`."""
    return record.levelno < logging.ERROR


def _is_of_spark(error: BaseException) -> bool:
    return any(map(error_translation.is_of_spark, _chain(error)))


def _say_where_the_trace_is(error: BaseException) -> None:
    """Print one line of what Spark ended with, and keep the rest, hundreds of lines of Java, in a file."""
    innermost = next(cause for cause in _chain(error) if error_translation.is_of_spark(cause))
    click.secho(f"Error: Spark failed: {error_translation.headline(innermost)}", fg="red", err=True)
    try:
        # Only its owner may read it: a trace quotes rows.
        with tempfile.NamedTemporaryFile("w", prefix="rankhammer-error-", suffix=".txt", delete=False) as file:
            traceback.print_exception(error, file=file)
    except OSError as exc:
        click.secho(f"The whole trace could not be kept: {exc}", err=True)
        return
    click.secho(f"The whole trace is in {file.name}", err=True)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and its causes, each once: what is raised again in its own handling comes back to itself."""
    seen = set[int]()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _refused_by_kedro(error: BaseException) -> RankhammerError | None:
    from kedro.config import MissingConfigException
    from kedro.io import DatasetError
    from kedro.validation import ParameterValidationError

    if isinstance(error, ParameterValidationError):
        from rankhammer.pipeline_registry import every_node
        from rankhammer.runs.parameters import describe_refusal

        return describe_refusal(str(error), every_node())
    if isinstance(error, MissingConfigException):
        if not Path("conf").exists() and str(Path("conf/base").absolute()) in str(error):
            return not_in_a_project(Path.cwd())
        return ConfigError(str(error), hint="Environments are the folders of conf/.")
    if isinstance(error, DatasetError) and (_ENTRY in str(error) or _DATASET_CLASS.search(str(error))):
        return _refused_entry(str(error))
    wrong = _WRONG_ENTRY.match(str(error)) if isinstance(error, DatasetError) else None
    if wrong:
        return _wrong_entry(wrong)
    if isinstance(error, ValueError) and str(error).startswith(_NO_SUCH_NODES):
        return ConfigError(str(error), hint="`kedro registry describe` lists the nodes.")
    return None


def _spark_gone(chain: Sequence[BaseException]) -> RankhammerError | None:
    if "pyspark" not in sys.modules:
        return None
    return spark_gone(chain)


def _machine_failure(chain: Sequence[BaseException]) -> RankhammerError | None:
    # Imported here: most commands end well.
    return machine_failure(chain)


def _refused_by_hadoop(chain: Sequence[BaseException]) -> RankhammerError | None:
    found = next(filter(None, map(_hadoop_refusal, chain)), "")
    hint = "Correct the path in conf/<env>/globals.yml, its permissions, or free some space there."
    return ConfigError(found, hint=hint) if found else None


def _refused_entry(found: str) -> ConfigError:
    """Say what is wrong with an entry of the catalog."""
    from kedro.utils import load_obj

    lines = [line for line in found.splitlines()[1:] if line.strip()]
    option, kind = _UNKNOWN_OPTION.search(found), _DATASET_CLASS.search(found)
    name = kind[1] if kind else found.partition(_ENTRY)[2].partition("'")[0]
    if option and kind:
        known = inspect.signature(load_obj(kind[2]).__init__).parameters.keys() - {"self"}
        message = f"Catalog entry {name!r} has no option {option[1]!r}."
        return ConfigError(
            message, hint=f"{did_you_mean(option[1], known)} Correct it in conf/<env>/catalog.", name=name
        )
    fault = lines[0] if lines else "it cannot be made."
    if fault.startswith("issubclass()"):
        fault = "type: it is no name of a dataset's class."
    place = "type: " if _ABOUT_TYPE.search(fault) and "type" not in fault else ""
    message = f"Catalog entry {name!r}: {place}{fault}"
    return ConfigError(message, hint="Correct it in conf/<env>/catalog.", name=name)


def _wrong_entry(found: re.Match[str]) -> ConfigError:
    """Say which entry of the catalog has another shape than Kedro's, and in which part of it."""
    is_whole = found[1] is not None
    name = found[1] if is_whole else found[3]
    fault = (
        "expected keys with values: type, filepath, ..." if is_whole else f"validator: {found[4]}"[:_LONGEST_REFUSAL]
    )
    hint = "conf/base/catalog shows each entry; correct it in conf/<env>/catalog."
    return ConfigError(f"Catalog entry {name!r} is no dataset: {fault}", hint=hint, name=name)


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
