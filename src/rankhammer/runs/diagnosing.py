"""`kedro run --diagnose`: the event log and Spark's pages of one run, and what the doctor finds in it."""

from __future__ import annotations

import logging
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from py4j.protocol import Py4JError

from rankhammer import spark
from rankhammer.errors import ConfigError, RankhammerError
from rankhammer.runs import doctor_inputs
from rankhammer.runs.execute import cluster_settings, execute, project_folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyspark.sql import SparkSession

FOLDER = Path("logs", "spark-events")
"""Below the project; git does not look at it."""
LOOPBACK = "127.0.0.1"
_LOG_DIR = "spark.eventLog.dir"
_ON = {
    "spark.eventLog.enabled": "true",
    "spark.eventLog.logStageExecutorMetrics": "true",
    "spark.executor.processTreeMetrics.enabled": "true",
    "spark.ui.enabled": "true",
    # To look at, not to steer with.
    "spark.ui.killEnabled": "false",
}
logger = logging.getLogger(__name__)


def execute_diagnosed(options: dict[str, Any]) -> int:
    """Run what `kedro run --diagnose` was asked for.

    Args:
        options: As `execute` takes them.

    Returns:
        Its exit code, which what the doctor finds does not change.
    """
    return execute(options, diagnosed(options["env"], options["params"] or {}))


@contextmanager
def diagnosed(env: str | None, params: Mapping[str, Any]) -> Iterator[None]:
    """Turn on what the doctor reads, and end with a line of what it finds, however the run ends.

    Args:
        env: Kedro environment; None for the default one.
        params: Of the command line.

    Raises:
        ConfigError: The event log has no place.
    """
    _, own = cluster_settings(env, params)
    settings = settings_for(own, project_folder())
    if own.get("spark.master", "local").startswith("local"):
        # Spark's pages listen on all of the machine's addresses otherwise.
        os.environ.setdefault("SPARK_LOCAL_IP", LOOPBACK)
    spark.add_settings(settings, _tell_address)
    try:
        yield
    finally:
        click.echo(_end({**own, **settings}, env))


def settings_for(own: Mapping[str, str], project: Path) -> dict[str, str]:
    """Return the Spark keys that a diagnosis needs, over those of spark.yml.

    Args:
        own: Keys of spark.yml.
        project: Its folder; logs of a run on this machine go below it, unless spark.yml names another place.

    Raises:
        ConfigError: The folder cannot be made, or the executors are on a cluster and spark.yml names no place.
    """
    if own.get(_LOG_DIR):
        return dict(_ON)
    if not own.get("spark.master", "local").startswith("local"):
        hint = f"Set it in conf/<env>/spark.yml, as in {_LOG_DIR}: hdfs:///spark-history"
        raise ConfigError(f"{_LOG_DIR} is not set: where is the event log to go?", hint=hint)
    folder = project / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as exc:
        raise ConfigError(f"{folder} cannot be made: {exc}", hint=f"Set {_LOG_DIR} in conf/local/spark.yml.") from exc
    return {**_ON, _LOG_DIR: folder.as_uri()}


def _tell_address(session: SparkSession) -> None:
    address = session.sparkContext.uiWebUrl
    if address:
        logger.info("Spark's pages: %s (`rankhammer doctor live %s` looks at them)", address, address)


def _end(settings: Mapping[str, str], env: str | None) -> str:
    """Close the session, so that its log is complete, and say what the doctor finds."""
    active = spark.active_session()
    if active is None:
        return "Doctor: the run needed no Spark, so that there is no event log."
    application, is_here = active.sparkContext.applicationId, settings[_LOG_DIR].startswith("file:")
    try:
        active.stop()
        if not is_here:
            return doctor_inputs.summarize(application, settings, env)
        place = doctor_inputs.find_log(settings[_LOG_DIR], application).removeprefix("file://")
    except (OSError, Py4JError, RankhammerError) as exc:
        logger.debug("There is no event log of %s: %s", application, exc)
        return f"Doctor: there is no event log of {application}."
    return doctor_inputs.summary_of(lambda: place, f"`rankhammer doctor log {_short(place)}`")


def _short(place: str) -> str:
    path = Path(place)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else place
