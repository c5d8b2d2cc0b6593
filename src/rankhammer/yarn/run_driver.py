"""What spark-submit starts: the command line, as at home, and then the keys of S3 are forgotten."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

from rankhammer import spark
from rankhammer.yarn import secrets

if TYPE_CHECKING:
    from collections.abc import Callable

SCRIPT = '''"""Starts the command line of the project in a container."""
from rankhammer.cli.main import main
from rankhammer.yarn.run_driver import driven

driven(main)
'''
logger = logging.getLogger(__name__)


def driven(main: Callable[[], None]) -> None:
    """Run the command line, and remove what a submission left for it.

    Args:
        main: The command line; ends by SystemExit.
    """
    try:
        main()
    finally:
        _forget(os.environ.get(secrets.STORE_VARIABLE, ""))


def _forget(uri: str) -> None:
    from py4j.protocol import Py4JError

    try:
        if uri:
            secrets.forget(*spark.hadoop(), uri)
    except (Py4JError, OSError) as exc:
        # The outcome of the run counts; the file is readable by its owner alone, and `submit` removes it, too.
        logger.warning("%s could not be removed: %s", uri, exc)
