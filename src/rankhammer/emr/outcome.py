"""How a job on a cluster has ended, and the exit code that says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rankhammer.exit_codes import (
    CLUSTER_ENDED,
    CLUSTER_LOST,
    DONE,
    JOB_FAILED,
    NO_CLUSTER,
    SOME_CORPORA_FAILED,
    USER_ERROR,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

STEP_ENDED = {"COMPLETED", "CANCELLED", "FAILED", "INTERRUPTED"}
CLUSTER_STATES_ENDED = {"TERMINATED", "TERMINATED_WITH_ERRORS"}
_OF_JOBS = (USER_ERROR, SOME_CORPORA_FAILED)
"""Exit codes of a job that mean the same here as there."""
_BY_SOMEBODY = {"USER_REQUEST"}
_LOST = {"INSTANCE_FAILURE", "INTERNAL_ERROR"}
_HINTS = {
    NO_CLUSTER: "Where AWS had no such instances: name more types, another subnet, or spot.otherwise: on_demand in "
    "emr.yml. Where a bootstrap action failed, its log says why.",
    CLUSTER_LOST: "Put fewer instances on spot, above all of the core fleet, and type the same command again.",
    CLUSTER_ENDED: "Somebody ended it, or its step; CloudTrail says who. Type the same command again.",
    JOB_FAILED: "The end of the job's log says why; `rankhammer emr logs` prints all of it.",
}


@dataclass(frozen=True)
class Outcome:
    """How it ended.

    Args:
        code: Exit code.
        message: In one sentence.
    """

    code: int
    message: str

    @property
    def hint(self) -> str:
        """What to do; empty where it ended well."""
        return _HINTS.get(self.code, "")


def outcome(cluster: Mapping[str, Any], step: Mapping[str, Any] | None, exit_code: int | None) -> Outcome:
    """Say how a job ended; what is not known to have ended well has not.

    Args:
        cluster: As EMR's DescribeCluster names it.
        step: As DescribeStep does; None where EMR knows no step.
        exit_code: That the job's own folder holds; None where none is there.
    """
    state = str((step or {}).get("Status", {}).get("State", "PENDING"))
    reason = cluster.get("Status", {}).get("StateChangeReason", {})
    if state == "COMPLETED" and exit_code in (None, DONE):
        return Outcome(DONE, "The job has ended well.")
    if state == "FAILED" or (state == "COMPLETED" and exit_code):
        return _failed(step or {}, exit_code, str(reason.get("Code", "")))
    return _cut_off(state, cluster, reason)


def _failed(step: Mapping[str, Any], exit_code: int | None, code: str) -> Outcome:
    if exit_code in _OF_JOBS:
        return Outcome(exit_code, f"The job ended with exit code {exit_code}.")
    if exit_code is None and code in _LOST:
        return Outcome(CLUSTER_LOST, f"The cluster was lost ({code}) while the job ran.")
    details = step.get("Status", {}).get("FailureDetails", {})
    why = details.get("Message") or details.get("Reason") or ""
    what = f"exit code {exit_code}" if exit_code is not None else "no exit code"
    return Outcome(JOB_FAILED, f"The job failed with {what}. {why}".strip())


def _cut_off(state: str, cluster: Mapping[str, Any], reason: Mapping[str, Any]) -> Outcome:
    """Say why a job did not come to its end."""
    code, message = str(reason.get("Code", "")), str(reason.get("Message", ""))
    said = f"{code}: {message}" if message else code or "no reason is given"
    was_ready = cluster.get("Status", {}).get("Timeline", {}).get("ReadyDateTime") is not None
    if code in _BY_SOMEBODY or (state == "CANCELLED" and code not in _LOST and was_ready):
        return Outcome(CLUSTER_ENDED, f"The job was cancelled from outside ({said}).")
    if not was_ready:
        return Outcome(NO_CLUSTER, f"The cluster did not start ({said}).")
    return Outcome(CLUSTER_LOST, f"The cluster was lost before the job had ended ({said}).")
