"""Requests as AWS checks them: the signature, and each parameter against botocore's own model of the service."""

from __future__ import annotations

import re
from functools import cache

import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request, "
    r"SignedHeaders=(?P<headers>[^,]+), Signature=(?P<signature>\w+)"
)


class RefusalError(Exception):
    """An error of AWS.

    Args:
        code: Its name.
        message: For people.
        status: Of HTTP.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status


def require_signed(keys: dict[str, str], method: str, url: str, headers: dict[str, str], body: bytes) -> None:
    """Refuse a request that is not signed with a known key and its secret."""
    found = _AUTHORIZATION.match(headers.get("authorization", ""))
    if not found or found["key"] not in keys:
        raise RefusalError("UnrecognizedClientException", "The security token included in the request is invalid.", 403)
    signed = {name: headers[name] for name in found["headers"].split(";") if name in headers}
    request = AWSRequest(method=method, url=url, data=body, headers=signed)
    request.context["timestamp"] = headers["x-amz-date"]
    auth = SigV4Auth(Credentials(found["key"], keys[found["key"]]), found["service"], found["region"])
    canonical = auth.canonical_request(request)
    if auth.signature(auth.string_to_sign(request, canonical), request) != found["signature"]:
        message = "The request signature we calculated does not match the signature you provided."
        raise RefusalError("SignatureDoesNotMatch", message, 403)


@cache
def model(service: str):
    return botocore.session.Session().get_service_model(service)


def require_valid(service: str, operation: str, params: dict) -> None:
    """Refuse what botocore's model of the service does not have: names, types, lengths, and values of lists."""
    shape = model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(params, shape)
    faults = [report.generate_report()] if report.has_errors() else list(_faults(shape, params, operation))
    if faults:
        raise RefusalError("ValidationException", "; ".join(faults))


def _faults(shape, value, path):
    """Yield what botocore leaves to the service: values out of a list, patterns."""
    if shape.type_name == "structure":
        for name, inner in value.items():
            yield from _faults(shape.members[name], inner, f"{path}.{name}")
    elif shape.type_name == "list":
        for inner in value:
            yield from _faults(shape.member, inner, f"{path}[]")
    elif shape.type_name == "map":
        for inner in value.values():
            yield from _faults(shape.value, inner, f"{path}{{}}")
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{path}: {value!r} is none of {shape.enum}"
