"""Clients of AWS, and what its refusals mean for the one who launches.

boto3 is imported by whoever asks for a client: no other command pays for it. Addresses come from AWS_ENDPOINT_URL and
AWS_ENDPOINT_URL_<SERVICE> where they are set, as everywhere with boto3.
"""

from __future__ import annotations

import functools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rankhammer.errors import ClusterError, ConfigError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRONG_KEYS = {
    "InvalidClientTokenId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId",
    "InvalidSignatureException",
    "AuthFailure",
}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "403", "UnauthorizedException"}
_BUSY = {"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded", "SlowDown"}
_ATTEMPTS, _CONNECT_S, _READ_S = 8, 5, 30


class Clients:
    """Clients of one region, each made when it is first asked for."""

    def __init__(self, region: str) -> None:
        """Refuse a region that EMR is not in.

        Args:
            region: Such as eu-west-1.

        Raises:
            ConfigError: boto3 is not installed, or the region is unknown.
        """
        self.region = region
        self._session = _session()
        known = [
            name
            for partition in self._session.get_available_partitions()
            for name in self._session.get_available_regions("emr", partition_name=partition)
        ]
        if region not in known:
            raise ConfigError(f"EMR has no region {region!r}.", hint=did_you_mean(region, known), region=region)

    @functools.cache  # noqa: B019 - one object a command
    def client(self, service: str, *, retries: bool = True) -> Any:
        """Return a client.

        Args:
            service: boto3's name of the service.
            retries: Whether a request whose answer is lost is sent again.
        """
        from botocore.config import Config

        attempts = {"mode": "standard", "total_max_attempts": _ATTEMPTS if retries else 1}
        own = {"addressing_style": "path"} if service == "s3" and self._has_own_address() else {}
        config = Config(
            retries=attempts,
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            s3=own or None,
            user_agent_appid="rankhammer",
        )
        with translated(f"A client of {service}"):
            return self._session.client(service, region_name=self.region, config=config)

    def _has_own_address(self) -> bool:
        """Say whether S3 is another server than Amazon's, whose buckets are no host names."""
        import os

        return any(os.environ.get(name) for name in ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))


def is_code(error: BaseException, *codes: str) -> bool:
    """Say whether AWS has refused a request with one of some codes."""
    response = getattr(error, "response", None)
    return isinstance(response, dict) and str(response.get("Error", {}).get("Code")) in codes


def is_busy(error: BaseException) -> bool:
    """Say whether AWS asks to send fewer requests."""
    return is_code(error, *_BUSY)


def is_denied(error: BaseException) -> bool:
    """Say whether who asks may not."""
    return is_code(error, *_DENIED)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Say in our words what AWS refuses.

    Args:
        what: What is asked for; begins the message.

    Raises:
        ConfigError: Identity, permission or the request itself is wrong.
        ClusterError: AWS does not answer.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as exc:
        raise _of_answer(what, exc) from exc
    except BotoCoreError as exc:
        raise _of_client(what, exc) from exc


def _of_answer(what: str, error: Any) -> Exception:
    code, message = error.response.get("Error", {}).get("Code", ""), error.response.get("Error", {}).get("Message", "")
    if code in _WRONG_KEYS:
        hint = "Check the profile (AWS_PROFILE) and its keys; `aws sts get-caller-identity` says who you are."
        return ConfigError(f"{what}: AWS does not know these keys, or their secret is wrong ({code}).", hint=hint)
    if code in _EXPIRED:
        return ConfigError(f"{what}: the session has expired ({code}).", hint="Log in again, such as `aws sso login`.")
    if code in _DENIED:
        hint = "Ask for the permission, or use another profile (AWS_PROFILE); `rankhammer emr check` lists them."
        return ConfigError(f"{what}: not permitted: {message or code}", hint=hint)
    if code in _BUSY:
        hint = "AWS takes no more requests at this time: type the command again in some minutes."
        return ClusterError(f"{what}: AWS was busy {_ATTEMPTS} times in a row ({code}).", hint=hint)
    return ConfigError(f"{what}: {message or code} ({code})", hint="`rankhammer emr check` looks at each part.")


def _of_client(what: str, error: BaseException) -> Exception:
    from botocore.exceptions import NoCredentialsError, ParamValidationError, PartialCredentialsError, ProfileNotFound

    if isinstance(error, NoCredentialsError | PartialCredentialsError | ProfileNotFound):
        hint = "Log in, such as `aws sso login`, and name the profile: export AWS_PROFILE=..."
        return ConfigError(f"{what}: nobody says who you are to AWS: {error}", hint=hint)
    if isinstance(error, ParamValidationError):
        return ConfigError(f"{what}: {error}", hint="Correct conf/<env>/emr.yml.")
    return ClusterError(
        f"{what}: {error}", hint="Is the network there? AWS_ENDPOINT_URL says who is asked, if it is set."
    )


def _session() -> Any:
    try:
        import boto3
    except ImportError as exc:
        raise ConfigError("boto3 is not installed.", hint="pip install 'rankhammer[emr]'") from exc
    return boto3.Session()
