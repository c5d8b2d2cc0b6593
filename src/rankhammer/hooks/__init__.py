"""What happens around a run: the lock, the Spark session, secrets, fingerprints, progress, and the summary."""

from rankhammer.hooks.credentials_hook import CredentialsHook
from rankhammer.hooks.fingerprint_hook import FingerprintHook
from rankhammer.hooks.lock_hook import LockHook
from rankhammer.hooks.mlflow_hook import MlflowHook
from rankhammer.hooks.progress_hook import ProgressHook
from rankhammer.hooks.spark_hook import SparkHook
from rankhammer.hooks.summary_hook import SummaryHook
from rankhammer.hooks.viz_hook import VizHook

__all__ = [
    "CredentialsHook",
    "FingerprintHook",
    "LockHook",
    "MlflowHook",
    "ProgressHook",
    "SparkHook",
    "SummaryHook",
    "VizHook",
]
