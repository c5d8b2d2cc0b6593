"""Kedro's settings of this project."""

from importlib.util import find_spec

from rankhammer import spark

# A JVM needs as long to start as the imports below.
# ruff: noqa: E402
spark.start_remembered_jvm()

from rankhammer.config_loader import ConfigLoader
from rankhammer.datasets.hadoop_files import register
from rankhammer.hooks import (
    CredentialsHook,
    FingerprintHook,
    LockHook,
    MlflowHook,
    ProgressHook,
    SparkHook,
    SummaryHook,
    VizHook,
)
from rankhammer.hooks.mlflow_hook import PLUGIN

register()
_fingerprints = FingerprintHook()
HOOKS = (
    SparkHook(),
    LockHook(),
    CredentialsHook(),
    _fingerprints,
    ProgressHook(),
    SummaryHook(_fingerprints),
    VizHook(),
    # The extra `mlflow`; docs/mlflow.md.
    *([MlflowHook()] if find_spec(PLUGIN) else []),
)
# Discovered hooks of installed packages (usage statistics among them) are not wanted here.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {
        name: [f"{name}*", f"{name}*/**"] for name in ("spark", "deploy", "cluster", "emr", "experiments", "tables")
    },
    "merge_strategy": dict.fromkeys(
        ("spark", "deploy", "cluster", "emr", "experiments", "tables", "parameters", "globals"), "soft"
    ),
}
