"""Checks of an account: permissions, roles, release, network, quotas. Each returns a sentence, or raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.emr.clients import is_code, is_denied
from rankhammer.emr.networks import is_the_world
from rankhammer.errors import ConfigError, RankhammerError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rankhammer.emr.prices import Estimate
    from rankhammer.emr.settings import EmrSettings

ACTIONS = (
    "elasticmapreduce:RunJobFlow",
    "elasticmapreduce:DescribeCluster",
    "elasticmapreduce:DescribeStep",
    "elasticmapreduce:ListSteps",
    "elasticmapreduce:ListClusters",
    "elasticmapreduce:ListInstances",
    "elasticmapreduce:AddJobFlowSteps",
    "elasticmapreduce:CancelSteps",
    "elasticmapreduce:SetTerminationProtection",
    "elasticmapreduce:TerminateJobFlows",
    "elasticmapreduce:AddTags",
)
SERVERLESS_ACTIONS = tuple(
    f"emr-serverless:{name}"
    for name in (
        *("CreateApplication", "GetApplication", "StopApplication", "DeleteApplication", "ListApplications"),
        *("StartJobRun", "GetJobRun", "ListJobRuns", "CancelJobRun", "TagResource"),
    )
)
_NOT_FOUND = ("NoSuchEntity", "NoSuchEntityException")
_QUOTAS = (("L-1216C47A", "on-demand standard"), ("L-34B43A08", "spot standard"))
"""Codes of EC2's quotas of vCPUs of the families A, C, D, H, I, M, R, T and Z, by how they are paid."""


class NotCheckedError(RankhammerError):
    """A check could not be made; a launch may do well without."""


def permissions(
    iam: Any, settings: EmrSettings, principal: str, *, wanted: Sequence[str] = ACTIONS, role: str | None = None
) -> str:
    """Let IAM simulate what a launch will ask for.

    Args:
        iam: Client.
        settings: Of emr.yml.
        principal: Whose permissions count.
        wanted: Actions on no resource in particular.
        role: That is handed on; None: EMR's own.

    Raises:
        ConfigError: An action is denied.
        NotCheckedError: Who asks may not simulate.
    """
    from botocore.exceptions import ClientError

    try:
        denied = [
            f"{name} on {resource}"
            for actions, resource in (([*wanted], "*"), *_on_resources(settings, principal, role))
            for name in _denied(iam, principal, actions, resource)
        ]
    except ClientError as exc:
        if is_denied(exc) or is_code(exc, "InvalidInput", *_NOT_FOUND):
            hint = "Permission iam:SimulatePrincipalPolicy lets it be checked beforehand."
            raise NotCheckedError("Permissions could not be simulated.", hint=hint) from exc
        raise
    if denied:
        hint = "Ask for these permissions; docs/emr.md has a policy with all that is needed."
        raise ConfigError(f"{principal} may not {', '.join(denied)}.", hint=hint)
    return f"{len(wanted) + 3} actions are permitted"


def _on_resources(settings: EmrSettings, principal: str, role: str | None) -> Iterator[tuple[list[str], str]]:
    bucket = f"arn:aws:s3:::{settings.bucket}"
    yield ["s3:ListBucket"], bucket
    yield ["s3:GetObject", "s3:PutObject"], f"{bucket}/{settings.prefix}/*"
    account = principal.split(":")[4]
    yield ["iam:PassRole"], f"arn:aws:iam::{account}:role/{role or settings.roles.service}"


def _denied(iam: Any, principal: str, actions: list[str], resource: str) -> list[str]:
    answer = iam.simulate_principal_policy(
        PolicySourceArn=principal, ActionNames=list(actions), ResourceArns=[resource]
    )
    return [r["EvalActionName"] for r in answer["EvaluationResults"] if r["EvalDecision"] != "allowed"]


def release(emr: Any, settings: EmrSettings) -> str:
    """Ask EMR whether it has the release, with Spark.

    Raises:
        ConfigError: It has not; the closest names are told.
    """
    labels = emr.list_release_labels()["ReleaseLabels"]
    if settings.release not in labels:
        raise ConfigError(f"EMR has no release {settings.release!r} here.", hint=did_you_mean(settings.release, labels))
    return settings.release


def roles(iam: Any, settings: EmrSettings) -> str:
    """Ask for EMR's own role and the nodes' profile.

    Raises:
        ConfigError: One is not there, or the profile has no role.
    """
    from botocore.exceptions import ClientError

    hint = "`rankhammer emr setup` makes both; or name yours: `roles` in conf/<env>/emr.yml."
    try:
        iam.get_role(RoleName=settings.roles.service)
        profile = iam.get_instance_profile(InstanceProfileName=settings.roles.instance_profile)["InstanceProfile"]
    except ClientError as exc:
        if is_code(exc, *_NOT_FOUND):
            raise ConfigError(f"A role is missing: {exc.response['Error']['Message']}", hint=hint) from exc
        raise
    if not profile["Roles"]:
        raise ConfigError(f"The instance profile {settings.roles.instance_profile} holds no role.", hint=hint)
    return f"{settings.roles.service}, {settings.roles.instance_profile}"


def serverless_role(iam: Any, settings: EmrSettings) -> str:
    """Ask for the role of jobs on EMR Serverless.

    Raises:
        ConfigError: It is not there.
    """
    from botocore.exceptions import ClientError

    try:
        iam.get_role(RoleName=settings.serverless.role)
    except ClientError as exc:
        if is_code(exc, *_NOT_FOUND):
            hint = "`rankhammer emr setup` makes it; or name yours: `serverless.role` in conf/<env>/emr.yml."
            raise ConfigError(f"A role is missing: {exc.response['Error']['Message']}", hint=hint) from exc
        raise
    return settings.serverless.role


def network(ec2: Any, settings: EmrSettings) -> str:
    """Look at subnets and security groups.

    Raises:
        ConfigError: One is not there, or a group lets the whole world in.
    """
    from botocore.exceptions import ClientError

    named = settings.network
    hint = "`rankhammer emr setup` makes subnets and groups that nobody reaches from outside."
    groups = [group for group in (named.primary_group, named.other_group, named.service_group) if group]
    try:
        subnets = ec2.describe_subnets(SubnetIds=list(named.subnets))["Subnets"] if named.subnets else []
        found = ec2.describe_security_groups(GroupIds=groups)["SecurityGroups"] if groups else []
    except ClientError as exc:
        if is_denied(exc):
            raise
        raise ConfigError(f"{exc.response['Error']['Message']}.", hint=f"Correct `network` in emr.yml. {hint}") from exc
    for group in found:
        _require_closed(group)
    return f"{len(subnets)} subnets, {len(found)} security groups" if subnets else "the account's default network"


def _require_closed(group: Mapping[str, Any]) -> None:
    for rule in group.get("IpPermissions", ()):
        ranges = [r.get("CidrIp") for r in rule.get("IpRanges", ())] + [
            r.get("CidrIpv6") for r in rule.get("Ipv6Ranges", ())
        ]
        if any(is_the_world(network) for network in ranges if network):
            ports = f"port {rule['FromPort']}" if rule.get("FromPort") is not None else "every port"
            raise ConfigError(
                f"Security group {group['GroupId']} lets the whole world in at {ports}.",
                hint="Remove the rule: shells and pages are reached by SSM (`rankhammer emr shell`), without any.",
            )


def quotas(service_quotas: Any, estimate: Estimate | None) -> str:
    """Compare the vCPUs of a launch with the account's quotas.

    Raises:
        ConfigError: A quota is smaller.
        NotCheckedError: Who asks may not look at quotas.
    """
    from botocore.exceptions import ClientError

    if estimate is None:
        raise NotCheckedError("The number of vCPUs is not known.", hint="See the check of the cost.")
    said = []
    for (code, name), needed in zip(_QUOTAS, estimate.vcpus, strict=True):
        if not needed:
            continue
        try:
            value = service_quotas.get_service_quota(ServiceCode="ec2", QuotaCode=code)["Quota"]["Value"]
        except ClientError as exc:
            if is_denied(exc) or is_code(exc, "NoSuchResourceException"):
                hint = "Permission servicequotas:GetServiceQuota lets it be checked beforehand."
                raise NotCheckedError("Quotas could not be read.", hint=hint) from exc
            raise
        if value < needed:
            raise ConfigError(
                f"This launch needs {needed} vCPUs ({name}), and the account's quota is {value:g}.",
                hint=f"Ask for fewer instances, or for more in the console of Service Quotas (EC2, {code}).",
            )
        said.append(f"{needed} of {value:g} vCPUs ({name})")
    return ", ".join(said)
