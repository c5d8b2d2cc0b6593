"""The stack of `rankhammer emr setup`: made, looked at, removed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rankhammer.emr.clients import translated
from rankhammer.emr.template import template
from rankhammer.errors import ClusterError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rankhammer.emr.settings import EmrSettings

NAME = "rankhammer-emr"
_TRIES = 120


def put(
    cloudformation: Any, name: str, body: str, parameters: Mapping[str, str], owner: str, *, poll_s: float
) -> tuple[str, dict[str, str]]:
    """Make a stack, or let the one that is there be as the template says, and wait.

    Args:
        cloudformation: Client.
        name: Of the stack.
        body: The template.
        parameters: Of the template.
        owner: For its tag.
        poll_s: Pause between two questions.

    Returns:
        created, updated or unchanged; its outputs.

    Raises:
        ConfigError: It may not be made.
        ClusterError: CloudFormation gave it up; what was there before is there still.
    """
    from botocore.exceptions import ClientError

    is_new = _state(cloudformation, name) is None
    given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
    asked = {"StackName": name, "TemplateBody": body, "Parameters": given, "Capabilities": ["CAPABILITY_IAM"]}
    asked["Tags"] = [{"Key": "rankhammer", "Value": name}, {"Key": "owner", "Value": owner}]
    done = "created" if is_new else "updated"
    with translated(f"The stack {name}"):
        try:
            if is_new:
                cloudformation.create_stack(**asked, OnFailure="DELETE")
            else:
                cloudformation.update_stack(**asked)
            _wait(cloudformation, f"stack_{'create' if is_new else 'update'}_complete", poll_s, name)
        except ClientError as exc:
            if "No updates are to be performed" not in str(exc):
                raise
            done = "unchanged"
        (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
    return done, {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())}


def create(cloudformation: Any, settings: EmrSettings, owner: str) -> dict[str, str]:
    """Make the stack, and wait until it is there.

    Args:
        cloudformation: Client.
        settings: Of emr.yml.
        owner: For its tag.

    Returns:
        Its outputs: subnet, groups, bucket.

    Raises:
        ConfigError: It is there already, or may not be made.
        ClusterError: CloudFormation gave it up; what it had made is removed again.
    """
    if _state(cloudformation) is not None:
        hint = "`rankhammer emr destroy --setup` removes it."
        raise ConfigError(f"The stack {NAME} is there already.", hint=hint)
    tags = [{"Key": "rankhammer", "Value": "emr"}, {"Key": "owner", "Value": owner}]
    with translated(f"The stack {NAME}"):
        cloudformation.create_stack(
            StackName=NAME,
            TemplateBody=json.dumps(template(settings)),
            Capabilities=["CAPABILITY_NAMED_IAM"],
            OnFailure="DELETE",
            Tags=tags,
        )
        _wait(cloudformation, "stack_create_complete", settings.poll_s)
        (found,) = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", ())}


def delete(cloudformation: Any, settings: EmrSettings, name: str = NAME) -> bool:
    """Remove a stack; the bucket of `emr setup` stays.

    Args:
        cloudformation: Client.
        settings: Of emr.yml.
        name: Of the stack.

    Returns:
        Whether there was one.
    """
    if _state(cloudformation, name) is None:
        return False
    with translated(f"The stack {name}"):
        cloudformation.delete_stack(StackName=name)
        _wait(cloudformation, "stack_delete_complete", settings.poll_s, name)
    return True


def lines_of_emr_yml(outputs: Mapping[str, str], settings: EmrSettings) -> list[str]:
    """Return what conf/<env>/emr.yml has to say for launches to use the stack."""
    groups = f"primary_group: {outputs.get('PrimaryGroup')}, other_group: {outputs.get('OtherGroup')}"
    return [
        f"network: {{subnets: [{outputs.get('Subnet')}], {groups}}}",
        f"security_configuration: {settings.security_configuration or 'rankhammer-encrypted'}",
    ]


def _wait(cloudformation: Any, waiter: str, poll_s: float, name: str = NAME) -> None:
    from botocore.exceptions import WaiterError

    try:
        cloudformation.get_waiter(waiter).wait(StackName=name, WaiterConfig={"Delay": poll_s, "MaxAttempts": _TRIES})
    except WaiterError as exc:
        hint = f"The events of the stack {name} in CloudFormation's console say which resource, and why."
        raise ClusterError(f"CloudFormation gave the stack {name} up.", hint=hint) from exc


def _state(cloudformation: Any, name: str = NAME) -> str | None:
    from botocore.exceptions import ClientError

    with translated(f"The stack {name}"):
        try:
            (found,) = cloudformation.describe_stacks(StackName=name)["Stacks"]
        except ClientError as exc:
            if "does not exist" in str(exc):
                return None
            raise
    return str(found["StackStatus"])
