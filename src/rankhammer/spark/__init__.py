"""Spark: the session, its JVM and the archive of its classes."""

from rankhammer.spark.early_start import open_early, request_early_start, start_jvm_early, start_remembered_jvm
from rankhammer.spark.session_provider import (
    FLAGS_KEY,
    active_session,
    add_settings,
    clear_cache,
    configure,
    effective_settings,
    hadoop,
    is_starting,
    is_submitted,
    running_tasks,
    session,
    session_folder,
    tasks_at_once,
)

__all__ = [
    "FLAGS_KEY",
    "active_session",
    "add_settings",
    "clear_cache",
    "configure",
    "effective_settings",
    "hadoop",
    "is_starting",
    "is_submitted",
    "open_early",
    "request_early_start",
    "running_tasks",
    "session",
    "session_folder",
    "start_jvm_early",
    "start_remembered_jvm",
    "tasks_at_once",
]
