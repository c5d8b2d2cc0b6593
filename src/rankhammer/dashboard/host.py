"""A plain small instance that keeps the dashboard: its CloudFormation template, and what its first boot does."""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhammer.dashboard.unit import Service, unit
from rankhammer.digests import hex_digest
from rankhammer.emr.networks import is_the_world
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT, STATE, USER, PORT = "/opt/rankhammer", "/var/lib/rankhammer-dashboard", "rankhammer", 443
SCRIPT = Path(__file__).with_name("host.sh")
IMAGES = {
    "x86_64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
    "arm64": "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-arm64",
}
_NAME = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_SECRET = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")
_MOST_DATA = 16_384
"""Bytes that an instance takes for its first boot."""
_TAGS = [{"Key": "rankhammer", "Value": "dashboard"}, {"Key": "Name", "Value": "rankhammer-dashboard"}]


@dataclass(frozen=True)
class Host:
    """What somebody wants.

    Args:
        environment: Of Kedro, whose results are shown.
        networks: From which browsers may come, in CIDR form.
        name: That browsers use, such as ranking.example.org.
        secret: Name of AWS Secrets Manager's secret that holds `chain` and `key` as PEM, in JSON.
        instance_type: Such as t3.small.
        region: Of it.
    """

    environment: str
    networks: tuple[str, ...]
    name: str
    secret: str
    instance_type: str
    region: str

    def __post_init__(self) -> None:
        """Refuse what would let the world in, and names that are none.

        Raises:
            ConfigError: With what to write.
        """
        if not self.networks:
            raise ConfigError("No network is named that may come in.", hint="--network 203.0.113.0/24 names yours.")
        for network in self.networks:
            _require_bounded(network)
        if not _NAME.fullmatch(self.name):
            raise ConfigError(
                f"{self.name!r} is no host name.", hint="--name ranking.example.org, as the certificate has."
            )
        if not _SECRET.fullmatch(self.secret):
            raise ConfigError(f"{self.secret!r} is no name of a secret.", hint="--certificate rankhammer/certificate")

    @property
    def architecture(self) -> str:
        """Of the instance: Graviton's types have a g behind the generation."""
        return "arm64" if re.match(r"[a-z]+\d+[a-z]*g", self.instance_type.partition(".")[0]) else "x86_64"


@dataclass(frozen=True)
class HostFiles:
    """What the host fetches, each under a name that carries a hash of its content.

    Args:
        wheel: URI of the code.
        conf: URI of the configuration, without secrets.
        env: URI of Python, packages and Java; empty where the host has them.
        python: Full path of a Python that the host has; empty where it comes with `env`.
        jars: URI of jars beside Spark's own, such as the connector to S3; empty where `env` needs none.
    """

    wheel: str
    conf: str
    env: str
    python: str = ""
    jars: str = ""


def boot_script(
    host: Host, files: HostFiles, access: str, *, root: str = ROOT, state: str = STATE, user: str = USER
) -> str:
    """Write what the host does when it boots first.

    Args:
        host: What somebody wants.
        files: What it fetches.
        access: Content of the token's file without the key of sessions, which the host makes.
        root: Folder of the program.
        state: Folder of the token's hash, the certificate, and copies of results.
        user: Of the host, who runs it.

    Raises:
        ConfigError: It is longer than an instance takes.
    """
    values = {
        "root": root,
        "state": state,
        "account": user,
        "python": files.python,
        "wheel": files.wheel,
        "conf": files.conf,
        "env": files.env,
        "jars": files.jars,
        "access": access,
        "unit": service_unit(host, root, state, user),
        "secret": host.secret,
        "region": host.region,
    }
    head = "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())
    script = f"#!/bin/bash\n{head}{SCRIPT.read_text()}"
    if len(script.encode()) > _MOST_DATA:
        raise ConfigError("What the host does at its first boot is longer than 16 KB.", hint="Use shorter names.")
    return script


def service_unit(host: Host, root: str, state: str, user: str) -> str:
    """Write the unit that keeps the dashboard running."""
    options = [f"--env={host.environment}", "--token-file", f"{state}/access.json", "--host", "0.0.0.0"]
    options += ["--port", str(PORT), "--name", host.name]
    options += ["--tls-cert", f"{state}/tls/chain.pem", "--tls-key", f"{state}/tls/key.pem"]
    made = Service(f"{root}/rankhammer", f"{root}/project", user, state, PORT, options)
    return unit(made, before=f"{root}/certificate")


def template(host: Host, script: str, buckets: Sequence[str]) -> dict[str, Any]:
    """Return the CloudFormation template; `Vpc` and `Subnet` are its parameters.

    Args:
        host: What somebody wants.
        script: Of the first boot. Another one makes another instance, which takes the address over.
        buckets: That the host may read.
    """
    instance = f"Host{hex_digest(script, 12)}"
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The dashboard of rankhammer on a small instance",
        "Parameters": {
            "Vpc": {"Type": "AWS::EC2::VPC::Id"},
            "Subnet": {"Type": "AWS::EC2::Subnet::Id"},
            "Image": {"Type": "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "Default": IMAGES[host.architecture]},
        },
        "Resources": {
            "Group": _group(host),
            **_role(host, buckets),
            instance: _instance(host, script),
            "Address": _made("AWS::EC2::EIP", Domain="vpc", Tags=_TAGS),
            "AddressOfHost": _made(
                "AWS::EC2::EIPAssociation",
                AllocationId={"Fn::GetAtt": ["Address", "AllocationId"]},
                InstanceId={"Ref": instance},
            ),
        },
        "Outputs": {"Address": {"Value": {"Ref": "Address"}}, "Instance": {"Value": {"Ref": instance}}},
    }


def _group(host: Host) -> dict[str, Any]:
    """Let browsers of the named networks in at one port; shells go by SSM, which needs none."""
    kinds = {4: "CidrIp", 6: "CidrIpv6"}
    rules = [
        {
            "IpProtocol": "tcp",
            "FromPort": PORT,
            "ToPort": PORT,
            kinds[ipaddress.ip_network(network).version]: network,
            "Description": "browsers",
        }
        for network in host.networks
    ]
    return _made(
        "AWS::EC2::SecurityGroup",
        GroupDescription="Rankhammer dashboard: HTTPS from named networks alone",
        VpcId={"Ref": "Vpc"},
        SecurityGroupIngress=rules,
        Tags=_TAGS,
    )


def _role(host: Host, buckets: Sequence[str]) -> dict[str, Any]:
    arns = [{"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{bucket}"} for bucket in buckets]
    inside = [{"Fn::Sub": f"arn:${{AWS::Partition}}:s3:::{bucket}/*"} for bucket in buckets]
    secret = f"arn:${{AWS::Partition}}:secretsmanager:${{AWS::Region}}:${{AWS::AccountId}}:secret:{host.secret}-??????"
    statements = [
        {"Effect": "Allow", "Action": ["s3:ListBucket", "s3:GetBucketLocation"], "Resource": arns},
        {"Effect": "Allow", "Action": "s3:GetObject", "Resource": inside},
        {"Effect": "Allow", "Action": "secretsmanager:GetSecretValue", "Resource": {"Fn::Sub": secret}},
    ]
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    shells = {"Fn::Sub": "arn:${AWS::Partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"}
    role = _made(
        "AWS::IAM::Role",
        AssumeRolePolicyDocument={"Version": "2012-10-17", "Statement": [trust]},
        ManagedPolicyArns=[shells],
        Policies=[{"PolicyName": "read", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}],
        Tags=_TAGS,
    )
    return {"Role": role, "Profile": _made("AWS::IAM::InstanceProfile", Roles=[{"Ref": "Role"}])}


def _instance(host: Host, script: str) -> dict[str, Any]:
    disk = {"VolumeSize": 12, "VolumeType": "gp3", "Encrypted": True, "DeleteOnTermination": True}
    return _made(
        "AWS::EC2::Instance",
        ImageId={"Ref": "Image"},
        InstanceType=host.instance_type,
        IamInstanceProfile={"Ref": "Profile"},
        SubnetId={"Ref": "Subnet"},
        SecurityGroupIds=[{"Fn::GetAtt": ["Group", "GroupId"]}],
        # Whoever makes the host ask its own metadata gets no credentials of the role.
        MetadataOptions={"HttpTokens": "required", "HttpPutResponseHopLimit": 1},
        BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": disk}],
        UserData={"Fn::Base64": script},
        Tags=_TAGS,
    )


def _require_bounded(network: str) -> None:
    hint = "Name the network of your office or VPN in CIDR form: --network 203.0.113.0/24."
    try:
        ipaddress.ip_network(network)
    except ValueError as exc:
        raise ConfigError(f"{network!r} is no network: {exc}.", hint=hint) from exc
    if is_the_world(network):
        raise ConfigError(f"{network} lets the whole world in.", hint=hint)


def _made(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}


def monthly(host: Host, prices: Mapping[str, float], factor: float) -> float:
    """Return what the host costs a month of 730 hours: instance, address and disk, in dollars.

    Args:
        host: What somebody wants.
        prices: Instance type, and `address` (an hour) and `disk_gb` (a month), to dollars.
        factor: Of the region.

    Raises:
        ConfigError: The price of the type is not known.
    """
    if host.instance_type not in prices:
        known = ", ".join(sorted(prices.keys() - {"address", "disk_gb"}))
        raise ConfigError(f"The price of {host.instance_type} is not known.", hint=f"--instance-type: {known}.")
    hourly = factor * prices[host.instance_type] + prices["address"]
    return 730 * hourly + 12 * factor * prices["disk_gb"]
