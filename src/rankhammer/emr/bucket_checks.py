"""Checks of the bucket that everything is written to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rankhammer.emr.clients import is_code
from rankhammer.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rankhammer.emr.settings import EmrSettings

_NO_RULE = "no lifecycle rule ends broken uploads (AbortIncompleteMultipartUpload)"
_UNKNOWN = ("NotImplemented", "501", "MethodNotAllowed", "405")
_ABSENT = (
    "NoSuchLifecycleConfiguration",
    "NoSuchPublicAccessBlockConfiguration",
    "NoSuchBucketPolicy",
    "ServerSideEncryptionConfigurationNotFoundError",
)


def bucket(s3: Any, settings: EmrSettings, account: str) -> str:
    """Look at the bucket: whose it is, where it is, and who may read it.

    Args:
        s3: Client of S3.
        settings: Of emr.yml.
        account: That launches; the bucket has to be its own.

    Raises:
        ConfigError: It is not there, somebody else's, in another region, or open to the public.
    """
    name = str(settings.bucket)
    _require_own(s3, name, account, str(settings.region))
    _require_private(s3, name)
    notes = [] if _ends_uploads(s3, name) else [_NO_RULE]
    return "; ".join([f"s3://{name}", *notes])


def _require_own(s3: Any, name: str, account: str, region: str) -> None:
    from botocore.exceptions import ClientError

    try:
        answer = s3.head_bucket(Bucket=name, ExpectedBucketOwner=account)
    except ClientError as exc:
        if is_code(exc, "404", "NoSuchBucket"):
            hint = "`rankhammer emr setup` makes it; or correct `bucket` in emr.yml."
            raise ConfigError(f"There is no bucket {name}.", hint=hint) from exc
        if is_code(exc, "403", "AccessDenied"):
            raise ConfigError(
                f"The bucket {name} is not account {account}'s, or you may not look at it.",
                hint="Names of buckets are shared by all of AWS: choose another one in emr.yml, or another profile.",
            ) from exc
        raise
    found = answer.get("BucketRegion") or answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region")
    if found not in (None, "", region):
        hint = "Each byte between them is paid: launch where the data are."
        raise ConfigError(f"The bucket {name} is in {found}, and the cluster in {region}.", hint=hint)


def _require_private(s3: Any, name: str) -> None:
    status = _asked(lambda: s3.get_bucket_policy_status(Bucket=name)["PolicyStatus"])
    if status and status.get("IsPublic"):
        hint = "Remove the statement with Principal '*' from its policy, and block public access."
        raise ConfigError(f"The bucket {name} is public.", hint=hint)
    acl = _asked(lambda: s3.get_bucket_acl(Bucket=name)) or {}
    for grant in acl.get("Grants", ()):
        if str(grant.get("Grantee", {}).get("URI", "")).endswith(("/AllUsers", "/AuthenticatedUsers")):
            raise ConfigError(f"The bucket {name} is public by its ACL.", hint="Turn ACLs off for the bucket.")


def _ends_uploads(s3: Any, name: str) -> bool:
    rules = (_asked(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name)) or {}).get("Rules", ())
    return any("AbortIncompleteMultipartUpload" in rule and rule.get("Status") == "Enabled" for rule in rules)


def _asked(look: Callable[[], Any]) -> Any:
    """Return an answer; None where a server that speaks S3 does not have the request, or nothing is set."""
    from botocore.exceptions import ClientError

    try:
        return look()
    except ClientError as exc:
        if is_code(exc, *_UNKNOWN, *_ABSENT):
            return None
        raise
