"""Clusters of Rankhammer that an account has: what runs, whose it is, until when, and what it has cost."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rankhammer.emr.clients import is_code, translated
from rankhammer.emr.cluster_request import LAUNCH_TAG, MANAGED_TAG, OWNER_TAG, TTL_TAG
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LIVE = ("STARTING", "BOOTSTRAPPING", "RUNNING", "WAITING")
_PAGES = {"history server": 18080, "resource manager": 8088, "name node": 9870}
"""Ports of the primary node's pages."""


@dataclass(frozen=True)
class ManagedCluster:
    """A cluster that a launch has started.

    Args:
        id: Of EMR.
        name: With the job's name.
        state: Of EMR.
        owner: Whose it is.
        ttl: When it has ended at the latest, UTC; None where its tag says nothing.
        launch: Id of the launch.
        log_uri: URI of EMR's own logs, in the launch's folder.
    """

    id: str
    name: str
    state: str
    owner: str
    ttl: datetime | None
    launch: str
    log_uri: str

    def is_orphan(self, now: datetime) -> bool:
        """Say whether it should have ended, or nobody has said when."""
        return self.state in LIVE and (self.ttl is None or now > self.ttl)

    @property
    def launch_uri(self) -> str:
        """URI of the launch's folder."""
        return self.log_uri.replace("s3n://", "s3://", 1).rstrip("/").removesuffix("/emr-logs")


def managed(emr: Any, *, live: bool = True) -> Iterator[ManagedCluster]:
    """Return the clusters that carry our tag.

    Args:
        emr: Client of EMR.
        live: Whether to leave out those that have ended.
    """
    states = {"ClusterStates": list(LIVE)} if live else {}
    with translated("The list of clusters"):
        entries = [
            entry for page in emr.get_paginator("list_clusters").paginate(**states) for entry in page["Clusters"]
        ]
        found = [emr.describe_cluster(ClusterId=entry["Id"])["Cluster"] for entry in entries]
    return map(_read, (about for about in found if MANAGED_TAG in _tags(about)))


def one(emr: Any, cluster: str) -> ManagedCluster:
    """Return a cluster by its id.

    Raises:
        ConfigError: There is none, or no launch has started it.
    """
    from botocore.exceptions import ClientError

    with translated(cluster):
        try:
            about = emr.describe_cluster(ClusterId=cluster)["Cluster"]
        except ClientError as exc:
            if is_code(exc, "InvalidRequestException"):
                hint = "`rankhammer emr status` lists them; is the region of --env the right one?"
                raise ConfigError(f"There is no cluster {cluster} here.", hint=hint) from exc
            raise
    if MANAGED_TAG not in _tags(about):
        raise ConfigError(f"{cluster} was not started by a launch.", hint="It is left alone: use the console of EMR.")
    return _read(about)


def primary_instance(emr: Any, cluster: str) -> str:
    """Return the EC2 id of a cluster's primary node.

    Raises:
        ConfigError: It has none yet, or no more.
    """
    with translated(cluster):
        found = emr.list_instances(
            ClusterId=cluster, InstanceFleetType="MASTER", InstanceStates=["RUNNING", "BOOTSTRAPPING"]
        )["Instances"]
    if not found:
        raise ConfigError(f"{cluster} has no primary node now.", hint="`rankhammer emr status` says its state.")
    return str(found[0]["Ec2InstanceId"])


def shell_command(instance: str, region: str) -> list[str]:
    """Return the command of a shell on a node, by SSM: no port is open, and no key is needed."""
    return ["aws", "ssm", "start-session", "--region", region, "--target", instance]


def tunnel_command(instance: str, region: str, page: str) -> tuple[list[str], str]:
    """Return the command that brings a page of the primary node here, and its address then.

    Args:
        instance: EC2 id.
        region: Its region.
        page: One of the history server, the resource manager, the name node.
    """
    port = str(_PAGES[page])
    document = ["--document-name", "AWS-StartPortForwardingSession"]
    ports = ["--parameters", f"portNumber={port},localPortNumber={port}"]
    return [*shell_command(instance, region), *document, *ports], f"http://127.0.0.1:{port}"


def pages() -> list[str]:
    """Return the names of the pages that can be brought here."""
    return list(_PAGES)


def _read(about: Mapping[str, Any]) -> ManagedCluster:
    tags = _tags(about)
    return ManagedCluster(
        id=about["Id"],
        name=about["Name"],
        state=about["Status"]["State"],
        owner=tags.get(OWNER_TAG, ""),
        ttl=_moment(tags.get(TTL_TAG, "")),
        launch=tags.get(LAUNCH_TAG, ""),
        log_uri=about.get("LogUri", ""),
    )


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None


def _tags(about: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in about.get("Tags", ())}
