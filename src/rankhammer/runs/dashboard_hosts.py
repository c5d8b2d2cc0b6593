"""What `rankhammer dashboard deploy` does: files on S3, a token, and a stack with a small instance."""

from __future__ import annotations

import getpass
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard import access, host
from rankhammer.dashboard.host import Host, HostFiles
from rankhammer.emr import checks, jobs, prices, stack
from rankhammer.emr.artifacts import Artifacts, NoArtifacts, split_uri
from rankhammer.emr.clients import translated
from rankhammer.errors import ClusterError, ConfigError
from rankhammer.runs import emr_launches
from rankhammer.runs.dashboard_places import result_places
from rankhammer.yarn import environment, package

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.emr.jobs import Store
    from rankhammer.runs.emr_jobs import EmrProject

LOCK = "dev/host.lock"
_S3 = ("s3://", "s3a://")


@dataclass(frozen=True)
class PlannedHost:
    """A host as it would be.

    Args:
        name: Of the stack.
        body: Its template.
        token: Shown once; empty where the host that is there keeps its own.
        monthly: Dollars a month, list prices.
        as_of: Day of the prices.
    """

    name: str
    body: dict[str, Any]
    token: str
    monthly: float
    as_of: str


def stack_name(env: str) -> str:
    """Return the stack of an environment's dashboard."""
    return f"rankhammer-dashboard-{''.join(sign if sign.isalnum() else '-' for sign in env)}"


def plan(
    project: EmrProject, wanted: Host, state: Path, store: Store | None, say: Callable[[str], None]
) -> PlannedHost:
    """Put on S3 what the host needs, and write its template.

    Args:
        project: Environment.
        wanted: What somebody wants.
        state: File of this machine with the token's hash: an update keeps the token.
        store: Where files go; None: nothing is written, here neither.
        say: Called with a line for each step.

    Raises:
        ConfigError: Results are not on S3, or a price is not known.
    """
    places = result_places(project.env).places
    elsewhere = sorted(path for path in places.values() if not path.startswith(_S3))
    if elsewhere:
        raise ConfigError(
            f"Results of {project.env} are not on S3 ({elsewhere[0]}): another host cannot read them.",
            hint="Name an environment whose paths are, such as --env=emr; or `rankhammer dashboard install` here.",
        )
    table = prices.read_prices(project.settings.prices)
    monthly = host.monthly(wanted, table.hosts, table.factor(wanted.region))
    buckets = sorted({split_uri(path)[0] for path in places.values()} | {str(project.settings.bucket)})
    files = _files(project, wanted, store or NoArtifacts(project.settings.home), say)
    kept, token = access.open_access(state) if store is not None else access.new_access()
    script = host.boot_script(wanted, files, json.dumps(access.public_part(kept), sort_keys=True))
    body = host.template(wanted, script, buckets)
    return PlannedHost(stack_name(project.env), body, token if store is not None else "", monthly, str(table.as_of))


def deploy(project: EmrProject, wanted: Host, state: Path, say: Callable[[str], None]) -> tuple[PlannedHost, str, str]:
    """Make the host, or let the one that is there be as it is wanted now.

    Args:
        project: Environment.
        wanted: What somebody wants.
        state: File of this machine with the token's hash.
        say: Called with a line for each step.

    Returns:
        What was deployed; created, updated or unchanged; the host's address.

    Raises:
        ConfigError: emr.yml names no subnet, or AWS refuses.
        ClusterError: CloudFormation gave it up.
    """
    clients = emr_launches.clients_of(project)
    who = checks.identity(clients, project.settings)
    vpc, subnet = _network(clients.client("ec2"), project)
    store = Artifacts(clients.client("s3"), project.settings.home, who.account, say)
    found = plan(project, wanted, state, store, say)
    owner = project.settings.owner or getpass.getuser()
    cloudformation = clients.client("cloudformation")
    given = {"Vpc": vpc, "Subnet": subnet}
    body = json.dumps(found.body)
    done, outputs = stack.put(cloudformation, found.name, body, given, owner, poll_s=project.settings.poll_s)
    return found, done, outputs.get("Address", "")


def remove(project: EmrProject) -> bool:
    """Remove the host with its address and role; results and the certificate's secret stay.

    Returns:
        Whether there was one.
    """
    clients = emr_launches.clients_of(project)
    return stack.delete(clients.client("cloudformation"), project.settings, stack_name(project.env))


def _files(project: EmrProject, wanted: Host, store: Store, say: Callable[[str], None]) -> HostFiles:
    with tempfile.TemporaryDirectory(prefix="rankhammer-conf-") as folder:
        conf = store.put(package.build_conf(project.folder / "conf", Path(folder, "conf.tar.gz")))
    wheel = store.put(package.build_wheel(project.folder))
    if project.settings.node.python is not None:
        return HostFiles(wheel, conf, "", project.settings.node.python)
    packages = _lock(project.folder)
    python = project.cluster.python
    planned = environment.plan(
        project.folder, interpreter=python.interpreter, standalone=python.of_nodes, packages=packages
    )
    _require_same_machine(wanted, planned.python.machine)
    env = store.put_made(planned.name, lambda: environment.build(planned, say))
    return HostFiles(wheel, conf, env, jars=jobs.jars_archive(project.settings.node, store))


def _lock(folder: Path) -> str:
    file = folder / LOCK
    if not file.is_file():
        hint = "Copy it from what `rankhammer new` makes."
        raise ConfigError(f"{folder} has no {LOCK}, from which the host's packages are taken.", hint=hint)
    return file.read_text()


def _require_same_machine(wanted: Host, machine: str) -> None:
    built = {"aarch64": "arm64", "arm64": "arm64"}.get(machine, "x86_64")
    if built != wanted.architecture:
        raise ClusterError(
            f"The Python of the host is for {built}, and {wanted.instance_type} is {wanted.architecture}.",
            hint="Take an instance type of that kind (t3.small is x86_64, t4g.small arm64), or name another Python: "
            "`python.standalone` in conf/<env>/cluster.yml.",
        )


def _network(ec2: Any, project: EmrProject) -> tuple[str, str]:
    subnets = project.settings.network.subnets
    if not subnets:
        hint = "`rankhammer emr setup` makes one, and prints the line."
        raise ConfigError(f"conf/{project.env}/emr.yml names no subnet for the host.", hint=hint)
    with translated("The subnet"):
        (found,) = ec2.describe_subnets(SubnetIds=[subnets[0]])["Subnets"]
    return str(found["VpcId"]), str(found["SubnetId"])
