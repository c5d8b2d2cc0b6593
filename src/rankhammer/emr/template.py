"""The CloudFormation template of what launches need: network, roles, bucket, encryption. Nothing in it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rankhammer.emr.settings import EmrSettings

EMR_TAG = {"Key": "for-use-with-amazon-emr-managed-policies", "Value": "true"}
"""EMR's own policy lets it touch only what carries this."""
MONTHLY = 1.0
"""Dollars that the stack costs a month while nothing runs: its key of KMS."""
_TAGS = [EMR_TAG, {"Key": "rankhammer", "Value": "emr"}]
_VERSION = "2012-10-17"
_DAYS_OF_UPLOADS = 3


def template(settings: EmrSettings) -> dict[str, Any]:
    """Return the template.

    Args:
        settings: Of emr.yml: bucket, folder in it, names of roles and of the security configuration.
    """
    parts = (_network(), _groups(), _bucket(settings), _roles(settings), _encryption(settings))
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "What rankhammer emr launches need; nothing in it runs",
        "Resources": {name: resource for part in parts for name, resource in part.items()},
        "Outputs": {
            "Subnet": {"Value": {"Ref": "Subnet"}},
            "PrimaryGroup": {"Value": {"Ref": "PrimaryGroup"}},
            "OtherGroup": {"Value": {"Ref": "OtherGroup"}},
            "Bucket": {"Value": {"Ref": "Bucket"}},
        },
    }


def _network() -> dict[str, Any]:
    vpc = {"Ref": "Vpc"}
    return {
        "Vpc": _made(
            "AWS::EC2::VPC",
            CidrBlock="10.42.0.0/16",
            EnableDnsSupport=True,
            EnableDnsHostnames=True,
            Tags=_TAGS,
        ),
        "Gateway": _made("AWS::EC2::InternetGateway", Tags=_TAGS),
        "GatewayOfVpc": _made("AWS::EC2::VPCGatewayAttachment", VpcId=vpc, InternetGatewayId={"Ref": "Gateway"}),
        "Subnet": _made("AWS::EC2::Subnet", VpcId=vpc, CidrBlock="10.42.0.0/20", MapPublicIpOnLaunch=True, Tags=_TAGS),
        "Routes": _made("AWS::EC2::RouteTable", VpcId=vpc, Tags=_TAGS),
        "RouteOut": {
            **_made(
                "AWS::EC2::Route",
                RouteTableId={"Ref": "Routes"},
                DestinationCidrBlock="0.0.0.0/0",
                GatewayId={"Ref": "Gateway"},
            ),
            "DependsOn": "GatewayOfVpc",
        },
        "RoutesOfSubnet": _made(
            "AWS::EC2::SubnetRouteTableAssociation", SubnetId={"Ref": "Subnet"}, RouteTableId={"Ref": "Routes"}
        ),
        # Free, and traffic to S3 stays inside of AWS.
        "S3Endpoint": _made(
            "AWS::EC2::VPCEndpoint",
            VpcId=vpc,
            ServiceName={"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"},
            RouteTableIds=[{"Ref": "Routes"}],
        ),
    }


def _groups() -> dict[str, Any]:
    """Return groups without a rule that lets anybody in; EMR lets the two talk to each other."""
    return {
        name: _made(
            "AWS::EC2::SecurityGroup",
            GroupDescription=f"Rankhammer EMR {nodes}: nobody comes in from outside",
            VpcId={"Ref": "Vpc"},
            Tags=_TAGS,
        )
        for name, nodes in (("PrimaryGroup", "primary node"), ("OtherGroup", "other nodes"))
    }


def _bucket(settings: EmrSettings) -> dict[str, Any]:
    rule = {"Id": "end-broken-uploads", "Status": "Enabled"}
    rule |= {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": _DAYS_OF_UPLOADS}}  # type: ignore[dict-item]
    bucket = _made(
        "AWS::S3::Bucket",
        BucketName=settings.bucket,
        BucketEncryption={
            "ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
        PublicAccessBlockConfiguration=dict.fromkeys(
            ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
        ),
        OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
        LifecycleConfiguration={"Rules": [rule]},
        Tags=_TAGS,
    )
    everything = [{"Fn::GetAtt": ["Bucket", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/*"}]
    only_tls = {
        "Sid": "OnlyTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": everything,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    policy = _made("AWS::S3::BucketPolicy", Bucket={"Ref": "Bucket"}, PolicyDocument=_document(only_tls))
    # Results outlive the stack: the bucket goes only where somebody names it twice.
    return {"Bucket": {**bucket, "DeletionPolicy": "Retain", "UpdateReplacePolicy": "Retain"}, "OnlyTls": policy}


def _roles(settings: EmrSettings) -> dict[str, Any]:
    managed = "arn:${AWS::Partition}:iam::aws:policy/"
    pass_role = {
        "Effect": "Allow",
        "Action": "iam:PassRole",
        "Resource": {"Fn::GetAtt": ["NodeRole", "Arn"]},
        "Condition": {"StringLike": {"iam:PassedToService": "ec2.amazonaws.com*"}},
    }
    files = {
        "Effect": "Allow",
        "Action": ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListBucket"],
        "Resource": [{"Fn::GetAtt": ["Bucket", "Arn"]}, {"Fn::Sub": "${Bucket.Arn}/*"}],
    }
    of_emr = {"Fn::Sub": f"{managed}service-role/AmazonEMRServicePolicy_v2"}
    of_ssm = {"Fn::Sub": f"{managed}AmazonSSMManagedInstanceCore"}
    return {
        "ServiceRole": _role(settings.roles.service, "elasticmapreduce.amazonaws.com", of_emr, pass_role),
        "NodeRole": _role(settings.roles.instance_profile, "ec2.amazonaws.com", of_ssm, files),
        "ServerlessRole": _role(settings.serverless.role, "emr-serverless.amazonaws.com", None, files),
        "NodeProfile": _made(
            "AWS::IAM::InstanceProfile",
            InstanceProfileName=settings.roles.instance_profile,
            Roles=[{"Ref": "NodeRole"}],
        ),
    }


def _role(name: str, service: str, managed: dict[str, str] | None, statement: dict[str, Any]) -> dict[str, Any]:
    trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return _made(
        "AWS::IAM::Role",
        RoleName=name,
        AssumeRolePolicyDocument=_document(trust),
        ManagedPolicyArns=[managed] if managed else [],
        Policies=[{"PolicyName": "rankhammer", "PolicyDocument": _document(statement)}],
        Tags=_TAGS,
    )


def _encryption(settings: EmrSettings) -> dict[str, Any]:
    """Return a key, who may use it, and EMR's security configuration: S3 and disks are encrypted."""
    owner = {
        "Effect": "Allow",
        "Principal": {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
        "Action": "kms:*",
        "Resource": "*",
    }
    use = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey", "kms:CreateGrant"]
    roles = [{"Fn::GetAtt": [name, "Arn"]} for name in ("ServiceRole", "NodeRole")]
    nodes = {"Effect": "Allow", "Principal": {"AWS": roles}, "Action": use, "Resource": "*"}
    disks = {
        "EncryptionKeyProviderType": "AwsKms",
        "AwsKmsKey": {"Fn::GetAtt": ["Key", "Arn"]},
        "EnableEbsEncryption": True,
    }
    at_rest = {
        "S3EncryptionConfiguration": {"EncryptionMode": "SSE-S3"},
        "LocalDiskEncryptionConfiguration": disks,
    }
    encryption = {
        "EnableAtRestEncryption": True,
        "EnableInTransitEncryption": False,
        "AtRestEncryptionConfiguration": at_rest,
    }
    name = settings.security_configuration or "rankhammer-encrypted"
    policy = _document(owner, nodes)
    return {
        "Key": _made("AWS::KMS::Key", EnableKeyRotation=True, KeyPolicy=policy, PendingWindowInDays=7, Tags=_TAGS),
        "Encryption": _made(
            "AWS::EMR::SecurityConfiguration",
            Name=name,
            SecurityConfiguration={"EncryptionConfiguration": encryption},
        ),
    }


def _document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": _VERSION, "Statement": list(statements)}


def _made(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": kind, "Properties": properties}
