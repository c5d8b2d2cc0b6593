"""Kedro's settings of this project."""

from rankhammer.config_loader import ConfigLoader
from rankhammer.datasets.hadoop_files import register
from rankhammer.hooks import CredentialsHook, FingerprintHook, LockHook, ProgressHook, SparkHook, SummaryHook, VizHook

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
)
# Discovered hooks of installed packages (usage statistics among them) are not wanted here.
DISABLE_HOOKS_FOR_PLUGINS = ("kedro-telemetry",)

CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    "config_patterns": {name: [f"{name}*", f"{name}*/**"] for name in ("spark", "deploy", "cluster")},
    "merge_strategy": dict.fromkeys(("spark", "deploy", "cluster", "parameters", "globals"), "soft"),
}
