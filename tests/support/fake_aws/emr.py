"""EMR's life cycle: a state machine a cluster, whose steps really run, and the faults that befall clusters."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fake_aws.node import kill
from fake_aws.requests import RefusalError

if TYPE_CHECKING:
    from fake_aws.node import Node

ENDED = ("TERMINATED", "TERMINATED_WITH_ERRORS")
RELEASES = ["emr-7.10.0", "emr-7.9.0", "emr-6.15.0"]


@dataclass
class Step:
    asked: dict
    id: str = field(default_factory=lambda: f"s-{secrets.token_hex(7).upper()}")
    state: str = "PENDING"
    details: dict = field(default_factory=dict)

    def about(self) -> dict:
        status = {"State": self.state, "Timeline": {}}
        if self.details:
            status["FailureDetails"] = self.details
        jar = self.asked["HadoopJarStep"]
        config = {"Jar": jar["Jar"], "Args": jar.get("Args", [])}
        return {
            "Id": self.id,
            "Name": self.asked["Name"],
            "ActionOnFailure": self.asked["ActionOnFailure"],
            "Config": config,
            "Status": status,
        }


class Cluster:
    """One cluster; a thread takes it from state to state."""

    def __init__(self, asked: dict, node: Node, *, tick_s: float, faults: set[str]) -> None:
        self.id = f"j-{secrets.token_hex(7).upper()}"
        self.asked, self.node, self.tick_s, self.faults = asked, node, tick_s, faults
        self.steps = [Step(step) for step in asked.get("Steps", [])]
        self.state, self.reason = "STARTING", {}
        self.created, self.ready, self.ended = time.time(), None, None
        self.seen = ["STARTING"]
        self.is_protected = asked["Instances"].get("TerminationProtected", False)
        self.process, self.second_s = None, 1.0
        self._stop: dict | None = None
        self._lock = threading.RLock()
        self.thread = threading.Thread(target=self._live, daemon=True)
        self.thread.start()

    @property
    def keeps_alive(self) -> bool:
        return self.asked["Instances"]["KeepJobFlowAliveWhenNoSteps"]

    def stop(self, code: str, message: str) -> None:
        """End it from outside; what runs is cut off."""
        with self._lock:
            if self.state not in ENDED and self._stop is None:
                self._stop = {"Code": code, "Message": message}
                if self.process is not None:
                    kill(self.process)

    def cancel(self, step_id: str) -> None:
        with self._lock:
            for step in self.steps:
                if step.id == step_id and step.state in ("PENDING", "RUNNING"):
                    was_running, step.state = step.state == "RUNNING", "CANCELLED"
                    if was_running and self.process is not None:
                        kill(self.process)

    def about(self) -> dict:
        timeline = {"CreationDateTime": self.created}
        timeline |= {"ReadyDateTime": self.ready} if self.ready else {}
        timeline |= {"EndDateTime": self.ended} if self.ended else {}
        return {
            "Id": self.id,
            "Name": self.asked["Name"],
            "Status": {"State": self.state, "StateChangeReason": self.reason, "Timeline": timeline},
            "ReleaseLabel": self.asked["ReleaseLabel"],
            "AutoTerminate": not self.keeps_alive,
            "TerminationProtected": self.is_protected,
            "Tags": self.asked.get("Tags", []),
            "LogUri": self.asked.get("LogUri", ""),
            "MasterPublicDnsName": "ip-10-0-0-1.internal",
        }

    def instances(self) -> list[dict]:
        found = []
        for fleet in self.asked["Instances"]["InstanceFleets"]:
            for number in range(fleet["TargetOnDemandCapacity"] + fleet["TargetSpotCapacity"]):
                is_spot = number >= fleet["TargetOnDemandCapacity"]
                timeline = self.about()["Status"]["Timeline"]
                found.append(
                    {
                        "Id": f"ci-{fleet['Name']}-{number}",
                        "Ec2InstanceId": f"i-{fleet['Name']}{number}",
                        "InstanceType": fleet["InstanceTypeConfigs"][0]["InstanceType"],
                        "Market": "SPOT" if is_spot else "ON_DEMAND",
                        "Status": {"State": "RUNNING", "Timeline": timeline},
                    }
                )
        return found

    def _live(self) -> None:
        self._pause()
        if "no capacity" in self.faults:
            self._end("INSTANCE_FLEET_TIMEOUT", "The instance fleet core timed out", with_errors=True)
            return
        if not self._bootstrap():
            return
        self.ready = time.time()
        self._enter("RUNNING")
        if "spot loss" in self.faults:
            threading.Thread(target=self._lose_spot, daemon=True).start()
        since = time.monotonic()
        while not self._stop:
            step = next((step for step in self.steps if step.state == "PENDING"), None)
            if step is not None:
                self._enter("RUNNING")
                self._run(step)
                if step.state == "FAILED" and not self._stop and step.asked["ActionOnFailure"] == "TERMINATE_CLUSTER":
                    self._end("STEP_FAILURE", "Shut down as step failed", with_errors=True)
                    return
            elif self.keeps_alive:
                self._enter("WAITING")
                self._pause()
                idle_s = time.monotonic() - since
                if idle_s > self.asked["AutoTerminationPolicy"]["IdleTimeout"] * self.second_s:
                    self.stop("AUTO_TERMINATION", "Auto-terminated after it was idle")
                continue
            else:
                self._end("ALL_STEPS_COMPLETED", "Steps completed")
                return
            since = time.monotonic()
        if self._stop and self.state not in ENDED:
            self._end(code=self._stop["Code"], message=self._stop["Message"], with_errors=self._is_failure())

    def _is_failure(self) -> bool:
        return self._stop["Code"] not in ("USER_REQUEST", "AUTO_TERMINATION")

    def _bootstrap(self) -> bool:
        self._enter("BOOTSTRAPPING")
        for action in self.asked.get("BootstrapActions", []):
            called = action["ScriptBootstrapAction"]
            code = self._execute(["bash", "-c", _SHELL, called["Path"], *called.get("Args", [])])
            if code or "bootstrap failure" in self.faults:
                message = (
                    f"On the master instance (i-primary0), bootstrap action 1 returned a non-zero return code {code}"
                )
                self._end("BOOTSTRAP_FAILURE", message, with_errors=True)
                return False
        self._pause()
        if self._stop:
            self._end(self._stop["Code"], self._stop["Message"])
            return False
        return True

    def _run(self, step: Step) -> None:
        step.state = "RUNNING"
        jar = step.asked["HadoopJarStep"]
        assert jar["Jar"] == "command-runner.jar"
        code = self._execute(jar["Args"], step)
        if step.state == "RUNNING" and self._stop is None:
            step.state = "COMPLETED" if code == 0 else "FAILED"
            step.details = {} if code == 0 else {"Reason": "Unknown Error.", "Message": f"exit code {code}"}
        elif step.state == "RUNNING":
            step.state = "FAILED" if self._is_failure() else "CANCELLED"

    def _execute(self, command: list[str], step: Step | None = None) -> int:
        with self._lock:
            if self._stop or (step is not None and step.state != "RUNNING"):
                return -1
            self.process = self.node.start(command)
        return self.process.wait()

    def _lose_spot(self) -> None:
        while self.process is None or not any(step.state == "RUNNING" for step in self.steps):
            time.sleep(self.tick_s)
        time.sleep(self.tick_s)
        self.stop("INSTANCE_FAILURE", "The master node was terminated: spot interruption")

    def _end(self, code: str, message: str, *, with_errors: bool = False) -> None:
        for step in self.steps:
            step.state = "CANCELLED" if step.state == "PENDING" else step.state
        self.reason = {"Code": code, "Message": message}
        self._enter("TERMINATING")
        self._pause()
        self.ended = time.time()
        self._enter("TERMINATED_WITH_ERRORS" if with_errors else "TERMINATED")

    def _enter(self, state: str) -> None:
        if self.state != state:
            self.state = state
            self.seen.append(state)

    def _pause(self) -> None:
        time.sleep(self.tick_s)


_SHELL = 'f=$(mktemp); aws s3 cp --only-show-errors "$0" "$f" && exec bash "$f" "$@"'


class FakeEmr:
    """EMR's operations, by name."""

    def __init__(self, node: Node, *, tick_s: float) -> None:
        self.node, self.tick_s = node, tick_s
        self.clusters: dict[str, Cluster] = {}
        self.faults: set[str] = set()

    def end(self) -> None:
        for cluster in self.clusters.values():
            cluster.stop("INTERNAL_ERROR", "the test has ended")
            cluster.thread.join(20)

    def run_job_flow(self, asked: dict) -> dict:
        instances = asked["Instances"]
        assert isinstance(instances.get("KeepJobFlowAliveWhenNoSteps"), bool), "has to be set explicitly"
        if asked["ReleaseLabel"] not in RELEASES:
            raise RefusalError("ValidationException", f"The release label is invalid: {asked['ReleaseLabel']}.")
        cluster = Cluster(asked, self.node, tick_s=self.tick_s, faults=self.faults)
        self.clusters[cluster.id] = cluster
        return {
            "JobFlowId": cluster.id,
            "ClusterArn": f"arn:aws:elasticmapreduce:eu-west-1:123456789012:cluster/{cluster.id}",
        }

    def describe_cluster(self, asked: dict) -> dict:
        return {"Cluster": self._of(asked["ClusterId"]).about()}

    def list_steps(self, asked: dict) -> dict:
        return {"Steps": [step.about() for step in reversed(self._of(asked["ClusterId"]).steps)]}

    def describe_step(self, asked: dict) -> dict:
        for step in self._of(asked["ClusterId"]).steps:
            if step.id == asked["StepId"]:
                return {"Step": step.about()}
        raise RefusalError("InvalidRequestException", "Step id is not valid.")

    def add_job_flow_steps(self, asked: dict) -> dict:
        cluster = self._of(asked["JobFlowId"])
        if cluster.state in ("TERMINATING", *ENDED):
            raise RefusalError(
                "ValidationException", "A job flow that is shutting down, terminated, or finished may not be modified."
            )
        added = [Step(step) for step in asked["Steps"]]
        cluster.steps += added
        return {"StepIds": [step.id for step in added]}

    def cancel_steps(self, asked: dict) -> dict:
        for number in asked["StepIds"]:
            self._of(asked["ClusterId"]).cancel(number)
        return {"CancelStepsInfoList": [{"StepId": number, "Status": "SUBMITTED"} for number in asked["StepIds"]]}

    def set_termination_protection(self, asked: dict) -> dict:
        for number in asked["JobFlowIds"]:
            self._of(number).is_protected = asked["TerminationProtected"]
        return {}

    def terminate_job_flows(self, asked: dict) -> dict:
        for number in asked["JobFlowIds"]:
            if self._of(number).is_protected:
                raise RefusalError(
                    "ValidationException",
                    "One or more job flows are termination protected.",
                )
            self._of(number).stop("USER_REQUEST", "Terminated by user request")
        return {}

    def list_clusters(self, asked: dict) -> dict:
        states = asked.get("ClusterStates")
        found = [c.about() for c in self.clusters.values() if not states or c.state in states]
        keys = ("Id", "Name", "Status")
        return {"Clusters": [{key: about[key] for key in keys} for about in found]}

    def list_instances(self, asked: dict) -> dict:
        return {"Instances": self._of(asked["ClusterId"]).instances()}

    def list_release_labels(self, _asked: dict) -> dict:
        return {"ReleaseLabels": RELEASES}

    def _of(self, number: str) -> Cluster:
        if number not in self.clusters:
            raise RefusalError("InvalidRequestException", f"Cluster id '{number}' is not valid.")
        return self.clusters[number]
